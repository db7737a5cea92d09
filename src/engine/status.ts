/** How a run is now: every machine is looked at, every ready program runs again. Nothing is written. */
import { randomBytes } from "node:crypto";

import { CloudUnreachableError, type MachineStatus } from "../drivers/driver.js";
import type { RunEvent, RunState, ServiceState } from "../events.js";
import type { MachineRecord, RunRecord } from "../state/records.js";
import type { Store } from "../state/store.js";
import { programsOf } from "./bundles.js";
import { stepDirectory } from "./journal.js";
import { Placements } from "./placements.js";
import { describeResult, runServiceProgram } from "./programs.js";
import { closeContext, openContext, type RunContext, type Service } from "./runContext.js";

export interface ServiceStatus {
  readonly service: string;
  readonly level: string;
  /** What the record says, and whether it holds now. */
  readonly state: ServiceState;
  readonly healthy: boolean;
  /** What the cloud says of the machine: a state, "host" for a service on a host, "none" before there is one. */
  readonly machine: MachineStatus["state"] | "host" | "none";
  readonly host: string | null;
  readonly message: string;
  /** Of the ready program, or null when it did not run. */
  readonly exitCode: number | null;
  readonly ms: number | null;
  readonly lastLines: readonly string[];
}

export interface StatusReport {
  readonly run: string;
  readonly state: RunState;
  readonly healthy: boolean;
  readonly checkedAt: number;
  readonly ms: number;
  readonly cloudUnreachable: boolean;
  readonly services: readonly ServiceStatus[];
}

/** Checks a run, level by level, side by side in a level. @throws only when the record itself cannot be read. */
export async function statusRun(store: Store, run: RunRecord, observe: (event: RunEvent) => void, signal: AbortSignal): Promise<StatusReport> {
  const checkedAt = Date.now();
  const context = await openContext({ run, plan: await store.plan(run), store, writer: null, stop: signal, observe });
  try {
    const placements = await Placements.read(context);
    const machines = await describeMachines(context, placements);
    const records = new Map((await store.services(run)).map((service) => [service.name, service]));
    const services: ServiceStatus[] = [];
    for (const level of context.levels) {
      services.push(...(await Promise.all(level.map((service) => check(context, placements, service, records.get(service.name)?.state ?? "planned", machines)))));
    }
    const healthy = run.state === "ready" && services.every((service) => service.healthy);
    return { run: run.name, state: run.state, healthy, checkedAt, ms: Date.now() - checkedAt, cloudUnreachable: [...machines.silent.values()].some((error) => error instanceof CloudUnreachableError), services };
  } finally {
    await closeContext(context);
  }
}

interface Machines {
  readonly byId: ReadonlyMap<string, MachineStatus>;
  /** Clouds that gave no answer, and why. */
  readonly silent: ReadonlyMap<string, Error>;
}

/** One question a cloud. */
async function describeMachines(context: RunContext, placements: Placements): Promise<Machines> {
  const known = context.levels.flat().flatMap((service) => placements.machine(service) ?? []).filter((machine) => machine.driverId !== null);
  const byId = new Map<string, MachineStatus>();
  const silent = new Map<string, Error>();
  const ask = async (cloud: string, machines: readonly MachineRecord[]) => {
    try {
      const driver = await context.clouds.driver(cloud);
      const ids = machines.map((machine) => machine.driverId as string);
      for (const machine of await driver.describe(ids, context.stop)) byId.set(`${cloud} ${machine.id}`, machine);
    } catch (error) {
      silent.set(cloud, error as Error);
    }
  };
  const clouds = new Set(known.map((machine) => machine.cloud));
  await Promise.all([...clouds].map((cloud) => ask(cloud, known.filter((machine) => machine.cloud === cloud))));
  return { byId, silent };
}

type Finding = Pick<ServiceStatus, "healthy" | "message"> & Partial<Pick<ServiceStatus, "exitCode" | "ms" | "lastLines">>;

async function check(context: RunContext, placements: Placements, service: Service, state: ServiceState, machines: Machines): Promise<ServiceStatus> {
  const record = placements.machine(service);
  const now = record?.driverId ? machines.byId.get(`${record.cloud} ${record.driverId}`) : undefined;
  const machine = now?.state ?? (service.spec.placement.kind === "host" ? "host" : record ? "unknown" : "none");
  const finding = (await notAsRecorded(state, record, machine, now, machines)) ?? (await runReady(context, placements, service));
  const host = record?.host ?? context.book.of(service.name).get("host")?.value ?? null;
  return { service: service.name, level: service.level.name, state, machine, host, exitCode: null, ms: null, lastLines: [], ...finding };
}

/** What makes running the ready program pointless, or null. */
async function notAsRecorded(state: ServiceState, record: MachineRecord | null, machine: ServiceStatus["machine"], now: MachineStatus | undefined, machines: Machines): Promise<Finding | null> {
  if (state !== "ready") return { healthy: false, message: `never became ready (${state})` };
  if (record === null) return null;
  const silent = machines.silent.get(record.cloud);
  if (silent !== undefined) return { healthy: false, message: silent.message };
  if (machine === "running") return null;
  return { healthy: false, message: `the machine ${record.driverId ?? ""} is ${machine}${now?.reason ? `: ${now.reason}` : ""}` };
}

/** Without a ready program, a machine that carries programs must at least answer. */
async function reach(context: RunContext, placements: Placements, service: Service): Promise<Finding> {
  const program = programsOf(service.spec).find((one) => one.program.where === "machine")?.program;
  if (program === undefined) return { healthy: true, message: "" };
  try {
    await placements.link(service, program).connection();
    return { healthy: true, message: "" };
  } catch (error) {
    return { healthy: false, message: context.redactor.redact((error as Error).message) };
  }
}

async function runReady(context: RunContext, placements: Placements, service: Service): Promise<Finding> {
  const program = service.spec.ready;
  if (program === null) return reach(context, placements, service);
  const directory = stepDirectory(service, "ready", `status-${randomBytes(6).toString("hex")}`) as string;
  try {
    const end = await runServiceProgram(context, placements, { service, step: "ready", program, directory, timeoutMs: program.timeoutMs, attempt: 1 });
    const { result, ms, lastLines } = end;
    const healthy = result.kind === "exited" && result.code === 0;
    const exitCode = result.kind === "exited" ? result.code : null;
    return { healthy, message: healthy ? "" : `the ready program failed: ${describeResult(result)}`, exitCode, ms, lastLines: healthy ? [] : lastLines };
  } catch (error) {
    return { healthy: false, message: context.redactor.redact((error as Error).message) };
  }
}
