/** Every machine that was ever started for a run: what the record knows of it, and what its cloud says of it now. */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { RunEvent } from "../../model/events.js";
import type { MachineRecord, RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { type RunContext } from "../run/context.js";
import { closeContext, openContext } from "../session/openContext.js";

export interface PastMachine {
  readonly service: string;
  readonly cloud: string;
  /** The driver's id, or null when the driver never told one. */
  readonly id: string | null;
  readonly key: string;
  readonly host: string | null;
  readonly requestedAt: number;
  readonly launchedAt: number | null;
  readonly endedAt: number | null;
  /** How it ended, "" while it lives. */
  readonly end: string;
  /** What the cloud says now, or "unknown" when it cannot be asked. */
  readonly now: MachineStatus["state"];
  /** The cloud's words about that, or why it could not be asked. */
  readonly reason: string;
}

export interface RunHistory {
  readonly run: string;
  readonly machines: readonly PastMachine[];
}

/** Gathers a run's machines, oldest first. Writes nothing. */
export async function runHistory(
  store: Store,
  run: RunRecord,
  observe: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunHistory> {
  const context = await openContext({ run, store, writer: null, stop: signal, observe, secrets: "optional" });
  try {
    const names = new Map([
      ...(await store.removedNames(run)),
      ...[...context.byName.values()].map((service) => [service.id, service.name] as const),
    ]);
    const machines = await store.machines(run);
    const now = await describe(context, machines);
    return {
      run: run.name,
      machines: machines.map((machine) =>
        pastMachine(machine, names.get(machine.serviceId) ?? "", now.get(machine.key)),
      ),
    };
  } finally {
    await closeContext(context);
  }
}

interface Now {
  readonly state: MachineStatus["state"];
  readonly reason: string;
}

/** One question a cloud. A cloud that does not answer, or that no plan has any more, leaves its machines unknown. */
async function describe(context: RunContext, machines: readonly MachineRecord[]): Promise<Map<string, Now>> {
  const told = new Map<string, Now>();
  for (const cloud of new Set(machines.map((machine) => machine.cloud))) {
    const own = machines.filter((machine) => machine.cloud === cloud && machine.driverId !== null);
    try {
      const driver = await context.clouds.driver(cloud);
      const statuses = await driver.describe(
        own.map((machine) => machine.driverId as string),
        context.stop,
      );
      own.forEach((machine, index) =>
        told.set(machine.key, { state: statuses[index]?.state ?? "unknown", reason: statuses[index]?.reason ?? "" }),
      );
    } catch (error) {
      for (const machine of own)
        told.set(machine.key, { state: "unknown", reason: context.redactor.redact((error as Error).message) });
    }
  }
  return told;
}

function pastMachine(
  { cloud, key, driverId, host, requestedAt, launchedAt, endedAt, endReason, state }: MachineRecord,
  service: string,
  now: Now | undefined,
): PastMachine {
  const end = state === "ended" ? (endReason ?? "ended") : "";
  // A service that gave its name to another one has its number after it in the record.
  return {
    service: service.replace(/~\d+$/, ""),
    cloud,
    id: driverId,
    key,
    host,
    requestedAt,
    launchedAt,
    endedAt,
    end,
    now: now?.state ?? "unknown",
    reason: now?.reason ?? "",
  };
}
