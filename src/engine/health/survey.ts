/**
 * Checks the current state of services: one request per cloud for their machines, and their ready programs, in
 * parallel.
 */
import { randomBytes } from "node:crypto";

import { isBootlevelError } from "../../errors/bootlevelError.js";
import type { MachineStatus } from "../../drivers/contract/driver.js";
import { isAuthenticationError, isConnectionError, isHostKeyError } from "../../machines/contract/connection.js";
import type { MachineRecord } from "../../state/contract/records.js";
import type { Cause } from "../../model/statusReport.js";
import { programsOf } from "../programs/bundles.js";
import { recordRefuses } from "../run/failure.js";
import { stepDirectory } from "../run/journal.js";
import { isInterruptedError, pause, unlessAborted } from "../run/failure.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { describeResult, programWords, runServiceProgram } from "../programs/runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { isGone } from "../clouds/isGone.js";
import { followMachines } from "./addresses.js";
import { isOwnFault } from "./ownFault.js";

export interface ServiceFinding {
  /** Null if the service is healthy. */
  readonly cause: Cause | null;
  readonly message: string;
  /** The machine's state in the cloud; "host" for a service on a host, "none" before there is one. */
  readonly machine: MachineStatus["state"] | "host" | "none";
  readonly error: Error | null;
  /** The ready program's exit code, or null if it did not run. */
  readonly exitCode: number | null;
  readonly ms: number | null;
  readonly lastLines: readonly string[];
  /** How the machine's address has changed, for people, or null. Attributes still have the old one. */
  readonly moved: string | null;
}

/** How deep to check: run the ready program, only see whether the machine answers, or only ask the cloud. */
export type SurveyDepth = "ready" | "reach" | "cloud";

/**
 * Checks services. Nothing is recorded.
 * @param tries how often a failing ready program runs, with its `every` in between, before the service counts as not
 *   ready.
 */
export async function survey(
  context: RunContext,
  assignments: MachineAssignments,
  services: readonly Service[],
  depth: (service: Service) => SurveyDepth,
  tries = 1,
): Promise<Map<Service, ServiceFinding>> {
  const machines = await describeMachines(context, assignments, services);
  const statuses = new Map<Service, MachineStatus>();
  for (const service of services) {
    const status = machines.byId.get(assignments.machine(service)?.key ?? "");
    if (status !== undefined) statuses.set(service, status);
  }
  const moved = await followMachines(context, assignments, statuses);
  const lookAtAll = () =>
    Promise.all(
      services.map(async (service) => {
        let finding = await look(context, assignments, service, depth(service), machines);
        for (let attempt = 2; attempt <= tries && finding.exitCode !== null && finding.exitCode !== 0; attempt += 1) {
          await pause(context.clock, service.spec.ready?.everyMs ?? 0, context.stop).catch(unlessInterrupted);
          if (context.stop.aborted) break;
          finding = await look(context, assignments, service, depth(service), machines);
        }
        return [service, { ...finding, moved: moved.get(service) ?? null }] as const;
      }),
    );
  const findings = new Map(await context.links.impatiently(lookAtAll));
  await askCloudsAgain(context, assignments, findings);
  return findings;
}

/** A machine may have gone while it was waited for: what its cloud says now explains why it does not answer. */
async function askCloudsAgain(
  context: RunContext,
  assignments: MachineAssignments,
  findings: Map<Service, ServiceFinding>,
): Promise<void> {
  const unreachable = [...findings].filter(
    ([service, { cause }]) => cause === "unreachable" && assignments.machine(service) !== null,
  );
  if (unreachable.length === 0 || context.stop.aborted) return;
  const services = unreachable.map(([service]) => service);
  const machines = await describeMachines(context, assignments, services);
  for (const [service, finding] of unreachable) {
    const record = assignments.machine(service);
    const now = record === null ? undefined : machines.byId.get(record.key);
    if (record === null || now === undefined) continue;
    const gone = goneOrStopped(record, now);
    if (gone !== null) findings.set(service, { ...finding, ...gone, machine: now.state });
  }
}

/** What a machine that its cloud calls gone or stopped means for its service, or null. */
function goneOrStopped(
  { driverId }: MachineRecord,
  { state, reason, gone }: MachineStatus & { readonly gone: boolean },
): { readonly cause: Cause; readonly message: string } | null {
  const message = `the machine ${driverId ?? ""} is ${state}${reason ? `: ${reason}` : ""}`;
  if (gone) return { cause: "gone", message };
  return state === "stopped" ? { cause: "stopped", message } : null;
}

/** The caller looks at the signal. */
function unlessInterrupted(error: unknown): void {
  if (!isInterruptedError(error)) throw error;
}

interface Machines {
  readonly byId: ReadonlyMap<string, MachineStatus & { readonly gone: boolean }>;
  /** Clouds that did not answer, and why. */
  readonly silent: ReadonlyMap<string, Error>;
}

async function describeMachines(
  context: RunContext,
  assignments: MachineAssignments,
  services: readonly Service[],
): Promise<Machines> {
  const known = services
    .flatMap((service) => assignments.machine(service) ?? [])
    .filter((machine) => machine.driverId !== null);
  const byId = new Map<string, MachineStatus & { gone: boolean }>();
  const silent = new Map<string, Error>();
  const ask = async (cloud: string, machines: readonly MachineRecord[]) => {
    try {
      const driver = await context.clouds.driver(cloud);
      const statuses = await driver.describe(
        machines.map((machine) => machine.driverId as string),
        context.stop,
      );
      machines.forEach((machine, index) => {
        const status = statuses[index];
        if (status)
          byId.set(machine.key, {
            ...status,
            gone: isGone(status, machine.launchedAt ?? machine.requestedAt, driver, context.clock.now()),
          });
      });
    } catch (error) {
      if (recordRefuses(error)) throw error;
      silent.set(cloud, error as Error);
    }
  };
  const clouds = new Set(known.map((machine) => machine.cloud));
  await Promise.all(
    [...clouds].map((cloud) =>
      ask(
        cloud,
        known.filter((machine) => machine.cloud === cloud),
      ),
    ),
  );
  return { byId, silent };
}

async function look(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  depth: SurveyDepth,
  machines: Machines,
): Promise<ServiceFinding> {
  const record = assignments.machine(service);
  const now = record === null ? undefined : machines.byId.get(record.key);
  const machine =
    now?.state ?? (service.spec.placement.kind === "host" ? "host" : record === null ? "none" : "unknown");
  const nothing: ServiceFinding = {
    cause: null,
    message: "",
    machine,
    error: null,
    exitCode: null,
    ms: null,
    lastLines: [],
    moved: null,
  };
  if (record !== null) {
    const silent = machines.silent.get(record.cloud);
    if (silent !== undefined)
      return { ...nothing, cause: "silent", message: context.redactor.redact(silent.message), error: silent };
    const gone = now === undefined ? null : goneOrStopped(record, now);
    if (gone !== null) return { ...nothing, ...gone };
    const words = `the machine ${record.driverId ?? ""} is ${machine}${now?.reason ? `: ${now.reason}` : ""}`;
    // "unknown" proves nothing here: the cloud may not list such a young machine yet. Ask the machine itself.
    if (record.driverId !== null && machine !== "running" && machine !== "unknown" && depth === "ready")
      return { ...nothing, cause: "not-ready", message: words };
  }
  if (depth === "cloud" || (record === null && machine === "none")) return nothing;
  return {
    ...nothing,
    ...(depth === "ready" && service.spec.ready !== null
      ? await runReady(context, assignments, service)
      : await reach(context, assignments, service)),
  };
}

type Part = Partial<ServiceFinding>;

/** Without a ready program, a machine must at least answer, unless all programs run on the launcher. */
async function reach(context: RunContext, assignments: MachineAssignments, service: Service): Promise<Part> {
  const programs = programsOf(service.spec);
  if (programs.length > 0 && !programs.some(({ program }) => program.where === "machine")) return {};
  try {
    await unlessAborted(context.stop, assignments.reach(service));
    return {};
  } catch (error) {
    return failed(context, error);
  }
}

async function runReady(context: RunContext, assignments: MachineAssignments, service: Service): Promise<Part> {
  const program = service.spec.ready;
  if (program === null) return {};
  const directory = stepDirectory(service, "ready", `status-${randomBytes(6).toString("hex")}`) as string;
  try {
    const { result, ms, lastLines } = await runServiceProgram(context, assignments, {
      service,
      step: "ready",
      program,
      directory,
      timeoutMs: program.timeoutMs,
      attempt: 1,
    });
    if (result.kind === "exited" && result.code === 0) return { exitCode: 0, ms };
    // A program that ran elsewhere cannot distinguish an unhealthy service from a machine that does not answer.
    const machine = program.where === "launcher" ? await reach(context, assignments, service) : {};
    if (machine.cause) return { ...machine, ms, lastLines };
    const cause = result.kind === "unknown" ? "unreachable" : "not-ready";
    return {
      cause,
      message: `the ${programWords("ready", program)} failed: ${describeResult(result)}`,
      exitCode: result.kind === "exited" ? result.code : null,
      ms,
      lastLines,
    };
  } catch (error) {
    return failed(context, error);
  }
}

function failed(context: RunContext, thrown: unknown): Part {
  const error = thrown as Error;
  if (recordRefuses(error)) throw error;
  const refused = isHostKeyError(error) || isAuthenticationError(error);
  const found: Cause = refused ? "refused" : isConnectionError(error) ? "unreachable" : "not-ready";
  if (!isOwnFault(error)) return { cause: found, message: context.redactor.redact(error.message), error };
  const remedy = isBootlevelError(error) && error.remedy !== "" ? `; ${error.remedy}` : "";
  return { cause: "unchecked", message: context.redactor.redact(error.message + remedy), error };
}
