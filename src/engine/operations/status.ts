/** Checks a run now: every machine is checked and every ready program runs again, in parallel. Nothing is recorded. */
import { isCloudUnreachableError } from "../../drivers/contract/driver.js";
import type { RunEvent } from "../../model/events.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import type { ServiceStatus, StatusReport, Trouble } from "../../model/statusReport.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { type RunContext } from "../run/context.js";
import { orphansOf } from "../health/orphans.js";
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
    const ready = all.filter((service) => context.records.get(service.id)?.state === "ready");
    const workedOnBy = run.holder?.alive === true ? run.holder.command : null;
    const [findings, orphans] = await Promise.all([
      survey(context, assignments, ready, () => "ready"),
      workedOnBy === null ? orphansOf(context, assignments) : [],
    ]);
    const services = all.map((service) => serviceStatus(context, assignments, service, findings.get(service) ?? null));
    const healthy =
      run.state === "ready" &&
      run.abort === null &&
      orphans.length === 0 &&
      services.every((service) => service.healthy);
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
      orphans,
    };
  } finally {
    await closeContext(context);
  }
}

/** @param finding null for a service that was not checked because it never became ready */
function serviceStatus(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  finding: ServiceFinding | null,
): ServiceStatus {
  const record = context.records.get(service.id);
  const state = record?.state ?? "planned";
  const since = record?.updatedAt ?? 0;
  const machine = assignments.machine(service);
  const host = machine?.host ?? context.attributes.of(service.name).get("host")?.value ?? null;
  const common = {
    service: service.name,
    level: service.level.name,
    state,
    since,
    ageMs: Math.max(0, context.clock.now() - since),
    host,
    said: record?.said ?? null,
  };
  if (finding === null) {
    return {
      ...common,
      healthy: false,
      trouble: "not-up",
      machine: machine === null ? "none" : "unknown",
      message: `never became ready (${state})`,
      exitCode: null,
      ms: null,
      lastLines: [],
    };
  }
  const { exitCode, ms, lastLines, message } = finding;
  const due = record?.due ?? null;
  const trouble: Trouble | null = finding.cause ?? (due === null ? null : "repair-due");
  const pending =
    trouble === "repair-due" && due !== null ? `repair is due: ${due.reason}` : movedText(context, finding.moved);
  return {
    ...common,
    healthy: trouble === null,
    trouble,
    machine: finding.machine,
    message: context.redactor.redact(message || pending),
    exitCode,
    ms,
    lastLines,
  };
}

function movedText({ run }: RunContext, moved: string | null): string {
  return moved === null ? "" : `${moved}; bootlevel repair ${run.name} tells the services that refer to it`;
}
