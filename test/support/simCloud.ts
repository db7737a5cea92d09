/** Simulated clouds for tests: on a virtual clock, with calls and programs as the engine makes them. */
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "@jest/globals";

import { driverStateFolder } from "../../src/state/files/driverState.js";
import type { Clock } from "../../src/time/clock.js";
import type { Driver, LaunchOutcome, LaunchRequest, MachineStatus } from "../../src/drivers/contract/driver.js";
import sim from "../../src/drivers/sim/simDriver.js";
import type { ProgramRunner } from "../../src/machines/program/programRunner.js";
import type { ProgramRequest } from "../../src/machines/program/request.js";
import { VirtualClock } from "../../src/time/virtualClock.js";

export const never = new AbortController().signal;
setMaxListeners(0, never);
export const scope = { installation: "here", run: "run1" };

/** Where a test's virtual time begins. */
export const START = Date.UTC(2030, 0, 1);

const opened: Driver[] = [];
const directories: string[] = [];

export function simDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel sim é "));
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const driver of opened.splice(0)) await driver.close?.();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export interface SimCloud {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly stateDirectory: string;
  /** Launches one machine for each service, and gives the outcomes. */
  readonly launch: (...services: string[]) => Promise<LaunchOutcome[]>;
  /** A machine that is running, and its programs. */
  readonly machine: (
    service: string,
    launch?: Readonly<Record<string, unknown>>,
  ) => Promise<{ readonly id: string; readonly programs: ProgramRunner }>;
  readonly states: (...ids: string[]) => Promise<MachineStatus["state"][]>;
}

let generation = 0;

export function wish(service: string, parts: Partial<LaunchRequest> = {}): LaunchRequest {
  generation += 1;
  return {
    key: `run1.${service}.${generation}`,
    mark: { installation: "here", run: "run1", runName: "run", service },
    replica: 1,
    image: null,
    size: null,
    fallbackSizes: [],
    launch: {},
    avoid: [],
    contact: null,
    ...parts,
  };
}

export function simCloud(
  options: Readonly<Record<string, unknown>> = {},
  { stateDirectory = simDirectory(), clock = new VirtualClock(START) }: { stateDirectory?: string; clock?: Clock } = {},
): SimCloud {
  const driver = sim.create({
    cloud: "test",
    options: { seed: 1, ...options },
    stateDirectory,
    state: driverStateFolder(stateDirectory),
    warn: (message) => {
      throw new Error(message);
    },
    permit: async () => undefined,
    env: {},
    readOnly: false,
    clock,
  });
  opened.push(driver);
  return {
    driver,
    clock,
    stateDirectory,
    launch: (...services) =>
      driver.launch(
        services.map((service) => wish(service)),
        never,
      ),
    machine: async (service, launch = {}) => {
      const [outcome] = await driver.launch([wish(service, { launch })], never);
      const { id } = launched(outcome);
      return { id, programs: (driver.programRunner as (id: string) => ProgramRunner).call(driver, id) };
    },
    states: async (...ids) => (await driver.describe(ids, never)).map(({ state }) => state),
  };
}

export function launched(outcome: LaunchOutcome | undefined): MachineStatus {
  if (outcome?.kind !== "launched") throw outcome?.error ?? new Error("no outcome");
  return outcome.machine;
}

let step = 0;

/** A program as the engine asks for one, and what it printed. */
export function program(
  service: string,
  name: string,
  parts: Partial<ProgramRequest> = {},
): ProgramRequest & { text(): string } {
  step += 1;
  let printed = "";
  return {
    directory: `runs/run1/${service}/${name}-${step}`,
    bundle: { sha256: "", size: 0, entry: null, open: () => Promise.reject(new Error("it is never sent")) },
    start: { kind: "command", line: "true" },
    args: [],
    env: { BOOTLEVEL_SERVICE: service },
    attributes: {},
    promised: [],
    timeoutMs: 600_000,
    sudo: false,
    keep: true,
    onOutput: (chunk) => {
      printed += chunk.toString();
    },
    signal: never,
    text: () => printed,
    ...parts,
  };
}
