/**
 * Rehearses a plan: boots it many times on simulated clouds, with a simulated clock, and repairs runs that did not come
 * up.
 */
import { accessSync, constants, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { replicaNames, type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { VariableRecord } from "../../state/contract/records.js";
import { loadDriver } from "../../drivers/registry.js";
import { uniform } from "../../drivers/sim/chance.js";
import { openStore } from "../../state/openStore.js";
import type { Store } from "../../state/contract/store.js";
import { VirtualClock } from "../../time/virtualClock.js";
import { bootRun } from "./boot.js";
import { repairRun } from "./repair.js";
import { withSeed } from "../rehearsal/rehearsalPlan.js";
import {
  commonCause,
  summarise,
  type Attempt,
  type Cause,
  type Rehearsal,
  type Statistics,
} from "../rehearsal/statistics.js";

export interface RehearsalRequest {
  /** The plan from `rehearsalPlan`, and the values of its variables. */
  readonly plan: LaunchPlan;
  readonly variables: readonly VariableRecord[];
  readonly runs: number;
  /** The maximum number of repairs of a run that did not come up. */
  readonly repairs: number;
  readonly seed: string;
  /** Receives the number of finished rehearsals. */
  readonly onProgress: (done: number) => void;
  /** Aborted when the operator stops the command: finished rehearsals are still reported. */
  readonly signal: AbortSignal;
}

/** The result of all rehearsals. */
export interface RehearsalReport extends Statistics {
  readonly plan: string;
  readonly seed: string;
  /** The maximum number of repairs of a rehearsal. */
  readonly repairs: number;
}

/**
 * The start time of every rehearsal, in milliseconds since the epoch. It is fixed, so that rehearsals are reproducible.
 */
const START = Date.UTC(2000, 0, 1);

/** Rehearses a plan. Leaves no files behind. */
export async function rehearsePlan(request: RehearsalRequest): Promise<RehearsalReport> {
  const rehearsals: Rehearsal[] = [];
  // Loaded before time is simulated: a virtual clock does not wait for file access.
  await loadDriver("sim", request.plan.dir);
  for (let number = 1; number <= request.runs && !request.signal.aborted; number += 1) {
    // A single rehearsal uses the seed unchanged, so that one of many can be reproduced.
    const rehearsal = await rehearseOnce(request, request.runs === 1 ? request.seed : `${request.seed}.${number}`);
    if (!request.signal.aborted) rehearsals.push(rehearsal);
    request.onProgress(rehearsals.length);
  }
  const { plan, seed, repairs } = request;
  return { plan: plan.name, seed, repairs, ...summarise(rehearsals, repairs) };
}

async function rehearseOnce(request: RehearsalRequest, seed: string): Promise<Rehearsal> {
  const home = await mkdtemp(join(temporaryFolder(), `bootlevel-rehearsal-${process.pid}-`));
  const remove = () => {
    rmSync(home, { recursive: true, force: true });
  };
  process.on("exit", remove); // also when the process exits before the end
  try {
    let draws = 0;
    const random = () => uniform(seed, "launcher", (draws += 1));
    const store = await openStore(home, { clock: new VirtualClock(START), random });
    try {
      return { seed, attempts: await bootAndRepair(store, request, withSeed(request.plan, seed)) };
    } finally {
      await store.close();
    }
  } finally {
    process.off("exit", remove);
    remove();
  }
}

async function bootAndRepair(
  store: Store,
  { repairs, variables, signal }: RehearsalRequest,
  plan: LaunchPlan,
): Promise<Attempt[]> {
  const watch = { observe: () => undefined, signal };
  const specs = new Map(
    plan.levels
      .flatMap(({ services }) => services)
      .flatMap((spec) => replicaNames(spec).map((name) => [name, spec.name])),
  );
  const attempt = (state: string, causes: readonly Cause[]): Attempt => ({
    ready: state === "ready",
    endMs: store.clock.now() - START,
    causes: causes.map((cause) => commonCause(cause, specs.get(cause.service) ?? cause.service)),
  });
  const booted = await bootRun(store, { plan, variables, name: "rehearsal", ...watch });
  const attempts = [attempt(booted.state, booted.failures)];
  while (attempts.at(-1)?.ready === false && attempts.length <= repairs && !signal.aborted) {
    const run = await store.findRun("rehearsal");
    const { state, failures, blocked, refused } = await repairRun(store, run, {
      ...watch,
      replace: [],
      maxReplacements: null,
      force: false,
      dryRun: false,
      waitMs: 0,
    });
    const causes = [
      ...failures,
      ...blocked.map((each) => ({ ...each, step: "repair" })),
      ...(refused === null ? [] : [{ service: "", step: "repair", message: refused }]),
    ];
    attempts.push(attempt(state, causes));
  }
  return attempts;
}

/**
 * A folder in memory if there is one: a rehearsal need not survive a power failure, and each write to the record would
 * wait for the disk.
 */
function temporaryFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    // Not every system has it.
    return tmpdir();
  }
}
