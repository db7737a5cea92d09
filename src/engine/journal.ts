/** The only code that moves a service from state to state: writes it down first, then tells. */
import type { RunEvent, RunState, ServiceFailure, ServiceState, StepName } from "../events.js";
import type { RunWriter } from "../state/runWriter.js";
import { asServiceError, ServiceError } from "./failure.js";
import type { RunContext, Service } from "./runContext.js";

/** The context's writer. @throws when a command that only reads tries to write: a mistake of ours. */
export function writerOf(context: RunContext): RunWriter {
  if (context.writer === null) throw new Error("this command only reads");
  return context.writer;
}

/** Records an event, redacted, and tells it. */
export async function record(context: RunContext, event: RunEvent): Promise<void> {
  await writerOf(context).appendEvent(context.redactor.redactData(event));
  context.tell(event);
}

export async function enterState(context: RunContext, service: Service, state: ServiceState): Promise<void> {
  await writerOf(context).setServiceState(service.id, state, null);
  await record(context, { at: Date.now(), type: "service-state", service: service.name, level: service.level.name, state });
}

export async function enterFailure(context: RunContext, service: Service, failure: ServiceFailure): Promise<void> {
  const safe = context.redactor.redactData(failure);
  await writerOf(context).setServiceState(service.id, "failed", safe);
  await record(context, { at: Date.now(), type: "service-state", service: service.name, level: service.level.name, state: "failed" });
  await record(context, { at: Date.now(), type: "service-failed", failure: safe });
}

export async function enterRunState(context: RunContext, state: RunState, startedAt: number): Promise<void> {
  await writerOf(context).setRunState(state);
  await record(context, { at: Date.now(), type: "run-finished", run: context.run.name, state, ms: Date.now() - startedAt });
}

export async function warn(context: RunContext, service: Service | null, message: string): Promise<void> {
  await record(context, { at: Date.now(), type: "warning", service: service?.name ?? null, message });
}

/** What a step says of its end: the outcome's word for the record, and an exit code if a program ended. */
export interface StepEnd<T> {
  readonly value: T;
  readonly outcome: string;
  readonly exitCode: number | null;
}

/**
 * Runs one step of a service between two records: that it begins and how it ended.
 * @param work is told the step's number.
 * @throws ServiceError for whatever `work` threw, with the step named.
 */
export async function inStep<T>(context: RunContext, service: Service, step: StepName, attempt: number, work: (stepId: number) => Promise<StepEnd<T>>): Promise<T> {
  const writer = writerOf(context);
  const startedAt = Date.now();
  const id = await writer.beginStep(service.id, step, attempt, (stepId) => stepDirectory(service, step, stepId));
  await record(context, { at: startedAt, type: "step-started", service: service.name, step, attempt });
  const finish = async (outcome: string, exitCode: number | null) => {
    await writer.endStep(id, outcome, exitCode);
    const at = Date.now();
    await record(context, { at, type: "step-finished", service: service.name, step, attempt, ms: at - startedAt, exitCode, outcome });
  };
  let end: StepEnd<T>;
  try {
    end = await work(id);
  } catch (error) {
    const failure = asServiceError(service, step, error);
    await finish("failed", failure instanceof ServiceError ? failure.failure.exitCode : null);
    throw failure;
  }
  await finish(end.outcome, end.exitCode);
  return end.value;
}

/** Where a step's program lies, below the machine's work directory; null for steps that run none. */
export function stepDirectory(service: Service, step: StepName, id: number | string): string | null {
  return step === "boot" || step === "ready" || step === "terminate" ? `${service.name}/${step}-${id}` : null;
}
