/** Destroys machines that the record knows, also those of which it knows only that they were asked for. */
import type { Driver } from "../../drivers/contract/driver.js";
import type { MachineRecord } from "../../state/contract/records.js";
import { InterruptedError } from "../run/failure.js";
import { groupBy } from "../run/lists.js";
import type { RunContext } from "../run/context.js";
import { settleAll } from "../run/settleAll.js";

/** How often the cloud is asked for a machine that it may not show yet, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;
/**
 * How long after it was noted a call may reach a cloud at most, in milliseconds: from then on the cloud may hide what
 * it makes of it.
 */
const ON_ITS_WAY_MS = 5_000;

export interface Destroyed {
  /** Why each machine that may still exist does. */
  readonly errors: ReadonlyMap<MachineRecord, Error>;
  /** The driver's id of each machine that there was. */
  readonly ids: ReadonlyMap<MachineRecord, string>;
}

/** Destroys machines, one call a cloud. */
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
 * The driver's id of each machine. One that was asked for by a launcher that died before the answer is looked for by
 * its key, for as long as the cloud may not show it yet; after that it does not exist.
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
    if (context.stop.aborted) throw new InterruptedError();
    await context.clock.sleep(LOOK_AGAIN_MS);
  }
  return ids;
}

/** When the cloud must show every one of these machines if it has it, in milliseconds since the epoch. */
async function shownBy(context: RunContext, driver: Driver, machines: ReadonlySet<MachineRecord>): Promise<number> {
  const hiddenMs = driver.visibilityMs ?? 0;
  if (machines.size === 0 || hiddenMs === 0) return 0;
  const keys = new Set([...machines].map(({ key }) => key));
  // As the record has it: the cloud may have been asked again after the machines were wished for.
  const times = (await context.store.machines(context.run))
    .filter(({ key }) => keys.has(key))
    .map(({ requestedAt }) => requestedAt);
  // A launcher whose clock went ahead may have asked for them in what is the future here: they are not waited for until
  // then.
  return Math.min(context.clock.now(), Math.max(...times)) + hiddenMs + Math.min(hiddenMs, ON_ITS_WAY_MS);
}
