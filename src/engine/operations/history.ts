/** Lists every machine ever started for a run: the recorded data and the cloud's current state. */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { RunEvent } from "../../model/events.js";
import type { MachineRecord, RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { type RunContext } from "../run/context.js";
import { closeContext, openContext } from "../session/openContext.js";

export interface PastMachine {
  readonly service: string;
  readonly cloud: string;
  /** The driver's id; null if the driver never returned one. */
  readonly id: string | null;
  readonly key: string;
  readonly host: string | null;
  readonly requestedAt: number;
  readonly launchedAt: number | null;
  readonly endedAt: number | null;
  /** How it ended; "" while it exists. */
  readonly end: string;
  /** The cloud's current state; "unknown" if the cloud does not answer. */
  readonly now: MachineStatus["state"];
  /** The cloud's explanation of that state, or why the cloud did not answer. */
  readonly reason: string;
}

export interface RunHistory {
  readonly run: string;
  readonly machines: readonly PastMachine[];
}

/** Reads a run's machines, oldest first. Records nothing. */
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
      machines: machines
        .map((machine) => pastMachine(machine, names.get(machine.serviceId) ?? "", now.get(machine.key)))
        .map((machine) => ({
          ...machine,
          host: context.redactor.redactData(machine.host),
          end: context.redactor.redact(machine.end),
          reason: context.redactor.redact(machine.reason),
        })),
    };
  } finally {
    await closeContext(context);
  }
}

interface Now {
  readonly state: MachineStatus["state"];
  readonly reason: string;
}

/** Asks each cloud once. The machines of a cloud that does not answer, or is in no plan any more, are unknown. */
async function describe(context: RunContext, machines: readonly MachineRecord[]): Promise<Map<string, Now>> {
  const states = new Map<string, Now>();
  for (const cloud of new Set(machines.map((machine) => machine.cloud))) {
    const own = machines.filter((machine) => machine.cloud === cloud && machine.driverId !== null);
    try {
      const driver = await context.clouds.driver(cloud);
      const statuses = await driver.describe(
        own.map((machine) => machine.driverId as string),
        context.stop,
      );
      own.forEach((machine, index) =>
        states.set(machine.key, { state: statuses[index]?.state ?? "unknown", reason: statuses[index]?.reason ?? "" }),
      );
    } catch (error) {
      for (const machine of own)
        states.set(machine.key, { state: "unknown", reason: context.redactor.redact((error as Error).message) });
    }
  }
  return states;
}

function pastMachine(
  { cloud, key, driverId, host, requestedAt, launchedAt, endedAt, endReason, state }: MachineRecord,
  service: string,
  now: Now | undefined,
): PastMachine {
  const end = state === "ended" ? (endReason ?? "ended") : "";
  // If a removed service's name was taken by another one, its recorded name has a `~N` suffix.
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
