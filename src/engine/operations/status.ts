/** Checks a run now: every machine is checked and every ready program runs again, in parallel. Nothing is recorded. */
import { isCloudUnreachableError } from "../../drivers/contract/driver.js";
import type { RunEvent } from "../../model/events.js";
import type { OutageRecord, RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import type { ServiceStatus, StatusReport, Trouble } from "../../model/statusReport.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { type RunContext } from "../run/context.js";
import { standingOf } from "../health/standing.js";
import { survey, type ServiceFinding } from "../health/survey.js";
import type { Service } from "../run/service.js";
import { closeContext, openContext } from "../session/openContext.js";
import type { Session } from "../session/session.js";

/**
 * Checks a run.
 * @param session keeps connections between repeated checks; null: none are kept.
 * @throws only when the record itself cannot be read.
 */
export async function statusRun(
  store: Store,
  run: RunRecord,
  observe: (event: RunEvent) => void,
  signal: AbortSignal,
  session: Session | null = null,
): Promise<StatusReport> {
  const checkedAt = store.clock.now();
  const context = await openContext({ run, store, writer: null, stop: signal, observe, ...(session && { session }) });
  try {
    const assignments = await MachineAssignments.read(context);
    const all = context.levels.flat();
    const isReady = (service: Service) => context.records.get(service.id)?.state === "ready";
    // Of a service that is not ready, only the cloud can say something that its record does not.
    const findings = await survey(context, assignments, all, (service) => (isReady(service) ? "ready" : "cloud"));
    const workedOnBy = run.holder?.alive === true ? run.holder.command : null;
    const working = workedOnBy !== null;
    const outages = working ? await store.outages(run) : new Map<string, OutageRecord>();
    const services = all.map((service) => {
      const known = {
        ...commonStatus(context, assignments, service),
        machine: findings.get(service)?.machine ?? "none",
      };
      return isReady(service)
        ? readyStatus(context, service, known, findings.get(service) as ServiceFinding)
        : withOutage(otherStatus(context, service, known, working), outages.get(service.name), context.clock.now());
    });
    const healthy = run.state === "ready" && run.abort === null && services.every((service) => service.healthy);
    const cloudUnreachable = [...findings.values()].some(({ error }) => isCloudUnreachableError(error));
    return {
      run: run.name,
      state: run.state,
      healthy,
      workedOnBy,
      abort: run.abort,
      checkedAt,
      ms: store.clock.now() - checkedAt,
      cloudUnreachable,
      services,
    };
  } finally {
    await closeContext(context);
  }
}

/** The status of a service whose launcher may have lost the connection to its machine. */
function withOutage(status: ServiceStatus, outage: OutageRecord | undefined, now: number): ServiceStatus {
  if (outage === undefined || status.state === "failed") return status;
  const { machine, since, reason } = outage;
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  const words = `its launcher lost the connection to ${machine} ${seconds} s ago (${reason.replace(`${machine}: `, "")}) and is connecting again`;
  return { ...status, message: status.message === "" ? words : `${status.message}: ${words}` };
}

type CommonStatus = Pick<
  ServiceStatus,
  "service" | "level" | "state" | "since" | "ageMs" | "host" | "said" | "machine"
>;

function commonStatus(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
): Omit<CommonStatus, "machine"> {
  const record = context.records.get(service.id);
  const since = record?.updatedAt ?? 0;
  const machine = assignments.machine(service);
  const onHost = service.spec.placement.kind === "host";
  return {
    service: service.name,
    level: service.level.name,
    state: record?.state ?? "planned",
    since,
    ageMs: Math.max(0, context.clock.now() - since),
    // The address of a machine that is gone is nobody's.
    host: machine?.host ?? (onHost ? (context.attributes.of(service.name).get("host")?.value ?? null) : null),
    said: record?.said ?? null,
  };
}

/** A service that was ready when it was recorded last: what the check found counts. */
function readyStatus(
  context: RunContext,
  service: Service,
  common: CommonStatus,
  { cause, exitCode, ms, lastLines, message }: ServiceFinding,
): ServiceStatus {
  const due = context.records.get(service.id)?.due ?? null;
  const trouble: Trouble | null = cause ?? (due === null ? null : "repair-due");
  const pending = trouble === "repair-due" && due !== null ? `repair is due: ${due.reason}` : "";
  return {
    ...common,
    healthy: trouble === null,
    trouble,
    message: context.redactor.redact(message || pending),
    cause: null,
    exitCode,
    ms,
    lastLines,
  };
}

/** A service in another state: it is not checked. */
function otherStatus(context: RunContext, service: Service, common: CommonStatus, working: boolean): ServiceStatus {
  const record = context.records.get(service.id);
  const { trouble, message } = standingOf(record ?? { state: "planned", failure: null, due: null }, working);
  const failure = record?.state === "failed" ? record.failure : null;
  return {
    ...common,
    healthy: false,
    trouble,
    message: context.redactor.redact(message),
    cause: failure?.cause ?? null,
    exitCode: failure?.exitCode ?? null,
    ms: null,
    lastLines: failure?.lastLines ?? [],
  };
}
