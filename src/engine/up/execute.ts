/** What services are there for: their execute programs, once everything in their level is ready. */
import { ConnectionError } from "../../machines/connection.js";
import type { ProgramSpec } from "../../plan/launchPlan.js";
import type { Change } from "../../state/changes.js";
import type { AttributeRecord, StepRecord } from "../../state/records.js";
import { describeResult, recoverServiceProgram, runServiceProgram, unset, type ProgramEnd, type ProgramRun } from "../programs/programs.js";
import { InterruptedError, serviceError } from "../run/failure.js";
import { finishStep, inStep, passState, RECORDED, stateEvent, stepDirectory, stepFinished, warn, type Step, type StepEnd } from "../run/journal.js";
import type { Service } from "../run/runContext.js";
import { missingError } from "./bootProgram.js";
import { publish } from "./publish.js";
import type { BringUp } from "./serviceStory.js";

/** How long a program of before is waited for at least, in milliseconds. */
const LEAST_MS = 10_000;

/**
 * Runs a service's execute program, or waits for it when an earlier launcher has started it. The service is ready before, and ready again when it
 * has succeeded.
 * @throws ServiceError when it fails; InterruptedError when nothing new is to begin.
 */
export async function execute(work: BringUp, service: Service): Promise<void> {
  const { context, placements } = work;
  const program = service.spec.execute ?? null;
  if (program === null) return;
  if (context.halt.aborted) throw new InterruptedError();
  const machineKey = placements.machine(service)?.key ?? null;
  passState(context, service, "executing");
  const before = (work.unfinished.get(service.id) ?? []).findLast((step) => step.step === "execute" && step.machineKey === machineKey);
  if (before !== undefined && (await resume(work, service, program, before))) {
    context.talk.ranBefore(service);
    return;
  }
  await inStep(context, service, "execute", 1, machineKey, async (step) => {
    const end = await runServiceProgram(context, placements, programRun(work, step, program, stepDirectory(service, "execute", step.id) as string, program.timeoutMs));
    return ended(work, step, end);
  });
}

/** Waits for the program of an earlier launcher. @returns false if it has to be started again. */
async function resume(work: BringUp, service: Service, program: ProgramSpec, { id, attempt, startedAt, directory }: StepRecord): Promise<boolean> {
  const { context, placements } = work;
  const left = Math.min(program.timeoutMs, Math.max(LEAST_MS, startedAt + program.timeoutMs - context.clock.now()));
  return finishStep(context, { id, service, name: "execute", attempt, startedAt }, async (step): Promise<StepEnd<boolean>> => {
    const end = await recoverServiceProgram(context, placements, programRun(work, step, program, directory as string, left)).catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      throw serviceError(service, "execute", `its execute program was started, and its machine does not answer: ${error.message}`, {}, error, true);
    });
    if (end === null) return { value: false, outcome: "never-started", exitCode: null };
    const lost = whyAgain(end);
    if (lost === null) return { ...(await ended(work, step, end)), value: true };
    await warn(context, service, `its execute program of before is run again: ${lost}`);
    return { value: false, outcome: "lost", exitCode: null };
  });
}

/** Why a program of before has to be run again, or null. Exit code 10 is that of a `bl` that found no launcher. */
export function whyAgain({ result }: ProgramEnd): string | null {
  if (result.kind === "lost") return `it was lost: ${result.reason}`;
  return result.kind === "exited" && result.code === 10 ? "it ended because no launcher was there to answer it (exit code 10)" : null;
}

function programRun(work: BringUp, step: Step, program: ProgramSpec, directory: string, timeoutMs: number): ProgramRun {
  const { service, attempt } = step;
  return {
    service, step: "execute", program, directory, timeoutMs, attempt,
    onResult: async ({ code, outputs }) => {
      if (code === 0 && missingAfter(work, service, outputs).length === 0) await recordEnd(work, step, outputs);
    },
  };
}

function missingAfter({ context }: BringUp, service: Service, outputs: ReadonlyMap<string, string>): string[] {
  return unset(context, service).filter((name) => !outputs.has(name));
}

/** The program's end, its outputs and that there is nothing left to execute are one write: it runs once. */
async function recordEnd(work: BringUp, step: Step, outputs: ReadonlyMap<string, string>): Promise<void> {
  const { context } = work;
  const { service, id } = step;
  const secret = new Map(service.spec.outputs.map((output) => [output.name, output.secret]));
  const records = [...outputs].map(([name, value]): AttributeRecord => ({ serviceId: service.id, name, value, kind: "output", secret: secret.get(name) ?? false }));
  const events = [stepFinished(context, step, "exited", 0), stateEvent(context, service, "ready")];
  const also: Change[] = [
    { kind: "step-ended", id, outcome: "exited", exitCode: 0 },
    { kind: "service", id: service.id, state: "ready" },
    { kind: "due", id: service.id, due: null },
    ...events.map((event): Change => ({ kind: "event", event: context.redactor.redactData(event) })),
  ];
  await publish(work, service, records, also);
  for (const event of events) context.tell(event);
}

async function ended(work: BringUp, { service }: Step, { result, machine, log, lastLines }: ProgramEnd): Promise<StepEnd<void>> {
  const details = { exitCode: result.kind === "exited" ? result.code : null, machine, log, lastLines };
  const { current } = work.context.abort;
  if (result.kind !== "exited" || result.code !== 0) throw serviceError(service, "execute", `the execute program failed: ${describeResult(result, current)}`, details, undefined, result.kind === "unknown");
  const missing = missingAfter(work, service, result.outputs);
  if (missing.length > 0) throw missingError(service, "execute", missing, details);
  return { value: undefined, outcome: RECORDED, exitCode: 0 };
}
