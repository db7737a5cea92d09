/**
 * Finds orphaned machines (they carry this installation's mark and belong to no live service) and destroys them. It
 * needs only the marks. It works without the database too, for drivers that need no plan and for the clouds of a given
 * plan.
 */
import { isDeepStrictEqual } from "node:util";

import type { Driver, MachineMark, MachineStatus } from "../../drivers/contract/driver.js";
import type { RunEvent } from "../../model/events.js";
import { DEFAULT_CLOUD } from "../../plan/launchPlan/defaultCloud.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { AttributeRegistry } from "../attributes/attributes.js";
import { createDriver } from "../clouds/clouds.js";
import { guardDriver } from "../clouds/guardedDriver.js";
import { orphanReason } from "../health/orphans.js";

export interface StrayMachine {
  readonly cloud: string;
  readonly id: string;
  readonly host: string | null;
  readonly state: MachineStatus["state"];
  readonly mark: MachineMark | null;
  readonly why: string;
}

export interface CleanOptions {
  /** One run, or null for all. */
  readonly run: RunRecord | null;
  /** A plan, with its variables, whose clouds are searched too: for machines that the database no longer knows. */
  readonly plan: { readonly plan: LaunchPlan; readonly variables: readonly VariableRecord[] } | null;
  /**
   * Receives the machines found; false destroys nothing. Also called with an empty list if only other resources of
   * drivers may be left.
   */
  readonly confirm: (machines: readonly StrayMachine[]) => Promise<boolean>;
  readonly observe: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

export interface CleanResult {
  readonly found: readonly StrayMachine[];
  readonly ended: readonly StrayMachine[];
  readonly failed: readonly { readonly machine: StrayMachine; readonly message: string }[];
  /** Clouds that did not answer, and why. They may have orphaned machines. */
  readonly silent: readonly { readonly cloud: string; readonly message: string }[];
  /** Runs without machines for which a cloud still has a resource that its driver created, such as a security group. */
  readonly unreleased: readonly UnreleasedRun[];
}

export interface UnreleasedRun {
  readonly cloud: string;
  /** The run's unique id. */
  readonly run: string;
  readonly message: string;
}

/** Finds orphaned machines, passes them to `confirm`, and destroys exactly those that are still orphaned. */
export async function cleanMachines(store: Store, options: CleanOptions): Promise<CleanResult> {
  const silent: { cloud: string; message: string }[] = [];
  const clouds = await openClouds(store, options, silent);
  try {
    const found: StrayMachine[] = [];
    for (const cloud of clouds) found.push(...(await findStrays(store, cloud, options, silent)));
    if (options.run === null) for (const cloud of clouds) await findUnreleased(store, cloud, options, silent);
    const releasing = clouds.some(({ driver, over }) => driver.release !== undefined && over.size > 0);
    if ((found.length === 0 && !releasing) || !(await options.confirm(found)))
      return { found, ended: [], failed: [], silent, unreleased: [] };
    const ended: StrayMachine[] = [];
    const failed: { machine: StrayMachine; message: string }[] = [];
    for (const cloud of clouds) await endStrays(store, cloud, found, options, { ended, failed });
    const unreleased: UnreleasedRun[] = [];
    for (const cloud of clouds) unreleased.push(...(await releaseRuns(store, cloud, ended, options)));
    return { found, ended, failed, silent, unreleased };
  } finally {
    for (const { driver } of clouds) await driver.close?.();
  }
}

interface OpenCloud {
  readonly name: string;
  readonly spec: CloudSpec;
  readonly options: Readonly<Record<string, unknown>>;
  readonly driver: Driver;
  /** Unique ids of runs that have ended and may have left something there. */
  readonly over: Set<string>;
}

/**
 * Every cloud that a run of this installation uses or used, each once; the default cloud; and those of a plan that is
 * given.
 */
async function openClouds(
  store: Store,
  options: CleanOptions,
  silent: { cloud: string; message: string }[],
): Promise<OpenCloud[]> {
  const open: OpenCloud[] = [];
  const add = async (
    plan: Pick<LaunchPlan, "dir">,
    spec: CloudSpec,
    book: AttributeRegistry | null,
    terminated: readonly string[],
  ) => {
    try {
      const resolved =
        book === null ? spec.options : resolveTree(spec.options, (reference) => book.lookup(reference, null));
      const known = open.find(
        (other) => other.spec.driver === spec.driver && isDeepStrictEqual(other.options, resolved),
      );
      for (const run of terminated) known?.over.add(run);
      if (known !== undefined) return;
      const warn = (message: string) =>
        options.observe({ at: store.clock.now(), type: "warning", service: null, message });
      const driver = guardDriver(
        await createDriver(store, spec, plan.dir, resolved, { warn, permit: async () => undefined, readOnly: true }),
        {
          cloud: spec.name,
          clock: store.clock,
          prove: async () => undefined,
          probe: store.probe,
          random: store.random,
          warn,
        },
      );
      open.push({ name: spec.name, spec, options: resolved, driver, over: new Set(terminated) });
    } catch (error) {
      silent.push({ cloud: spec.name, message: (error as Error).message });
    }
  };
  const runs = options.run === null ? await store.listRuns({ all: true }) : [options.run];
  for (const run of runs) {
    const { plan } = await store.plan(run);
    const book = new AttributeRegistry(plan, run.name, await store.variables(run, "optional"));
    for (const spec of Object.values(plan.clouds))
      await add(plan, spec, book, run.state === "terminated" ? [run.uid] : []);
  }
  if (options.run === null) await add({ dir: store.folders.installation }, DEFAULT_CLOUD, null, []);
  if (options.plan !== null) {
    const { plan, variables } = options.plan;
    const book = new AttributeRegistry(plan, "", variables);
    for (const spec of Object.values(plan.clouds)) await add(plan, spec, book, []);
  }
  return open;
}

async function findStrays(
  store: Store,
  { name, driver }: OpenCloud,
  { run, signal }: CleanOptions,
  silent: { cloud: string; message: string }[],
): Promise<StrayMachine[]> {
  try {
    // List machines before reading the record: a machine launched in between is recorded before the cloud can list it.
    const listed = await driver.list({ installation: await store.installation(), run: run?.uid ?? null }, signal);
    const { keys, ids } = await store.liveMachines();
    return listed.flatMap((machine) => {
      const why = machine.state === "terminated" ? null : orphanReason(machine, keys, ids);
      return why === null ? [] : [stray(name, machine, why)];
    });
  } catch (error) {
    silent.push({ cloud: name, message: (error as Error).message });
    return [];
  }
}

function stray(cloud: string, { id, host, state, mark }: MachineStatus, why: string): StrayMachine {
  return { cloud, id, host, state, mark, why };
}

async function endStrays(
  store: Store,
  cloud: OpenCloud,
  shown: readonly StrayMachine[],
  options: CleanOptions,
  result: { ended: StrayMachine[]; failed: { machine: StrayMachine; message: string }[] },
): Promise<void> {
  const now = new Set((await findStrays(store, cloud, options, [])).map((machine) => machine.id));
  const chosen = new Map(
    shown
      .filter((machine) => machine.cloud === cloud.name && now.has(machine.id))
      .map((machine) => [machine.id, machine]),
  );
  if (chosen.size === 0) return;
  try {
    for (const outcome of await cloud.driver.terminate([...chosen.keys()], options.signal)) {
      const machine = chosen.get(outcome.id);
      if (machine === undefined) continue;
      if (outcome.kind === "terminated") result.ended.push(machine);
      else result.failed.push({ machine, message: outcome.error.message });
    }
  } catch (error) {
    for (const machine of chosen.values()) result.failed.push({ machine, message: (error as Error).message });
  }
}

/** Adds the runs that are over, or that no record knows, and of which the cloud still has something. */
async function findUnreleased(
  store: Store,
  { name, driver, over }: OpenCloud,
  { signal }: CleanOptions,
  silent: { cloud: string; message: string }[],
): Promise<void> {
  try {
    const runs = (await driver.unreleased?.(await store.installation(), signal)) ?? [];
    const isOver = await runsOver(store);
    for (const run of runs) if (isOver(run)) over.add(run);
  } catch (error) {
    silent.push({ cloud: name, message: (error as Error).message });
  }
}

/** Whether a run is terminated, or unknown to the record. */
async function runsOver(store: Store): Promise<(uid: string) => boolean> {
  const runs = new Map((await store.listRuns({ all: true })).map(({ uid, state }) => [uid, state === "terminated"]));
  return (uid) => runs.get(uid) ?? true;
}

/**
 * Removes other resources that the driver created for finished runs: runs whose last orphaned machine was just
 * destroyed, and terminated runs.
 */
async function releaseRuns(
  store: Store,
  { name, driver, over }: OpenCloud,
  ended: readonly StrayMachine[],
  { signal }: CleanOptions,
): Promise<UnreleasedRun[]> {
  const unreleased: UnreleasedRun[] = [];
  if (driver.release === undefined) return unreleased;
  const installation = await store.installation();
  const isOver = await runsOver(store);
  const strays = ended.flatMap(({ cloud, mark }) =>
    cloud === name && mark !== null && isOver(mark.run) ? [mark.run] : [],
  );
  for (const run of new Set([...strays, ...over])) {
    try {
      const left = await driver.list({ installation, run }, signal);
      if (left.every(({ state }) => state === "terminated")) await driver.release({ installation, run }, signal);
    } catch (error) {
      unreleased.push({ cloud: name, run, message: (error as Error).message });
    }
  }
  return unreleased;
}
