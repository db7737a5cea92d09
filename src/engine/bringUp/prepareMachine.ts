/** The step between a new machine's first connection and its first program: waits for cloud-init. */
import { cloudInitReason, waitForCloudInit, type CloudInitEnd } from "../../machines/shell/cloudInit.js";
import { openLogFile } from "../programs/logFile.js";
import { logPath } from "../programs/runServiceProgram.js";
import { StepLog } from "../programs/stepLog.js";
import { InterruptedError, serviceError } from "../run/failure.js";
import { inBareStep, warn, writerOf, type StepEnd } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/**
 * Waits for cloud-init once per machine, if the service's plan asks for it. The machine is already connected.
 * @throws ServiceError when cloud-init fails or times out.
 */
export async function prepare(context: RunContext, assignments: MachineAssignments, service: Service): Promise<void> {
  const { ssh } = assignments.owner(service).spec;
  const access = assignments.access(service);
  if (access.kind !== "ssh" || access.firstContact === undefined || ssh.cloudInit !== "wait") return;
  const { machine } = access.firstContact;
  if ((await context.store.contact(machine)).has("prepared")) return;
  await inBareStep(context, service, "prepare", assignments.machine(service)?.key ?? null, async () => {
    const end = await wait(context, assignments, service, ssh.cloudInitTimeoutMs);
    await writerOf(context).write({ kind: "contact", machine, stage: "prepared" });
    return end;
  });
}

async function wait(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  limitMs: number,
): Promise<StepEnd<void>> {
  const link = assignments.machineLink(service);
  const { label } = await link.connection();
  const end = await waitForCloudInit(link, limitMs, context.halt).catch((error: unknown) => {
    throw context.halt.aborted ? new InterruptedError() : error;
  });
  const lastLines = end.kind === "absent" ? [] : await keep(context, service, label, end);
  if (end.kind === "degraded") await warn(context, service, `cloud-init went on after errors${because(end)}`);
  if (end.kind !== "failed" && end.kind !== "late")
    return { value: undefined, outcome: end.kind === "absent" ? "absent" : "prepared", exitCode: end.code };
  const message =
    end.kind === "late"
      ? `cloud-init has not finished within ${limitMs / 1000} s`
      : `cloud-init failed with exit code ${String(end.code)}${because(end)}`;
  throw serviceError(service, "prepare", message, {
    exitCode: end.code,
    machine: label,
    lastLines,
    log: logPath(context, service, "prepare"),
    remedy:
      end.kind === "late"
        ? "raise the timeout with ssh: { cloud_init_timeout }, or skip the check with ssh: { cloud_init: ignore }"
        : "fix the machine's user data or image (see cloud-init's logs in its /var/log), or skip the check with ssh: { cloud_init: ignore }",
  });
}

function because({ lines }: CloudInitEnd): string {
  const reason = cloudInitReason(lines);
  return reason === "" ? "" : `: ${reason}`;
}

/**
 * Writes cloud-init's output to the step's log.
 * @returns its last lines, redacted.
 */
async function keep(
  context: RunContext,
  service: Service,
  label: string,
  { kind, lines }: CloudInitEnd,
): Promise<string[]> {
  const log = new StepLog({
    writer: await openLogFile(context, service, "prepare"),
    redactor: context.redactor,
    hold: false,
    onText: () => undefined,
  });
  try {
    log.note(`cloud-init on ${label}: ${kind}`);
    log.push(Buffer.from(lines.map((line) => `${line}\n`).join("")));
    log.finish();
    return log.lastLines();
  } finally {
    await log.close();
  }
}
