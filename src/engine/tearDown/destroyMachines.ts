/** Destroys recorded machines, including machines whose launch request never got an answer. */
import type { Driver } from "../../drivers/contract/driver.js";
import type { MachineRecord } from "../../state/contract/records.js";
import { pause } from "../run/failure.js";
import { groupBy } from "../run/lists.js";
import type { RunContext } from "../run/context.js";
import { settleAll } from "../run/settleAll.js";

/** Poll interval for a machine that the cloud may not list yet, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;
/**
 * The longest time between recording a launch request and the cloud receiving it, in milliseconds. The cloud's
 * visibility delay starts only then.
 */
const ON_ITS_WAY_MS = 5_000;

export interface Destroyed {
  /** The error of each machine that may still exist. */
  readonly errors: ReadonlyMap<MachineRecord, Error>;
  /** The driver's id of each machine that was found. */
  readonly ids: ReadonlyMap<MachineRecord, string>;
}

/** Destroys machines with one call per cloud. Errors are in the result. */
export async function destroyMachines(context: RunContext, machines: readonly MachineRecord[]): Promise<Destroyed> {
  const errors = new Map<MachineRecord, Error>();
  const found = new Map<MachineRecord, string>();
  const clouds = groupBy(machines, ({ cloud }) => cloud);
  await settleAll(
    [...clouds].map(async ([cloud, own]) => {
      try {
        const driver = await context.clouds.driver(cloud);
        const ids = await findIds(context, driver, own);
        const outcomes = await driver.terminate([...new Set(ids.values())], context.stop);
        const failed = new Map(
          outcomes.flatMap((outcome) => (outcome.kind === "failed" ? [[outcome.id, outcome.error] as const] : [])),
        );
        for (const [machine, id] of ids) {
          found.set(machine, id);
          if (failed.has(id)) errors.set(machine, failed.get(id) as Error);
        }
      } catch (error) {
        for (const machine of own) errors.set(machine, error as Error);
      }
    }),
  );
  return { errors, ids: found };
}

/**
 * The driver's id of each machine. If a launcher died before the cloud answered, the machine has no recorded id: it is
 * looked up by its key until the cloud must list it. After that, the machine does not exist.
 * @throws InterruptedError when the operator stops the command.
 */
async function findIds(
  context: RunContext,
  driver: Driver,
  machines: readonly MachineRecord[],
): Promise<Map<MachineRecord, string>> {
  const ids = new Map(
    machines.flatMap((machine) => (machine.driverId === null ? [] : [[machine, machine.driverId] as const])),
  );
  const missing = new Set(machines.filter((machine) => machine.driverId === null));
  const deadline = await shownBy(context, driver, missing);
  const installation = missing.size === 0 ? "" : await context.store.installation();
  while (missing.size > 0) {
    const listed = new Map(
      (await driver.list({ installation, run: context.run.uid }, context.stop)).map((machine) => [
        machine.key,
        machine.id,
      ]),
    );
    for (const machine of missing) {
      const id = listed.get(machine.key);
      if (id === undefined) continue;
      ids.set(machine, id);
      missing.delete(machine);
    }
    if (missing.size === 0 || context.clock.now() >= deadline) break;
    await pause(context.clock, LOOK_AGAIN_MS, context.stop);
  }
  return ids;
}

/** The time by which the cloud must list all these machines if they exist, in milliseconds since the epoch. */
async function shownBy(context: RunContext, driver: Driver, machines: ReadonlySet<MachineRecord>): Promise<number> {
  const hiddenMs = driver.visibilityMs ?? 0;
  if (machines.size === 0 || hiddenMs === 0) return 0;
  const keys = new Set([...machines].map(({ key }) => key));
  // Read from the record: a retry of the launch updates the request time.
  const times = (await context.store.machines(context.run))
    .filter(({ key }) => keys.has(key))
    .map(({ requestedAt }) => requestedAt);
  // If the launcher that sent the request had a fast clock, the request time may be in the future. Do not wait for it.
  return Math.min(context.clock.now(), Math.max(...times)) + hiddenMs + Math.min(hiddenMs, ON_ITS_WAY_MS);
}
