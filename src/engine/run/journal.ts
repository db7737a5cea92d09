/**
 * The only code that moves a service from state to state: it records first, then emits events. It waits for writes that
 * something depends on. Informative writes (a connection was made, a state that the next step leaves) are written
 * together with the next one, in order. So a service waits for the disk only a few times.
 */
import type { RunEvent, RunState, ServiceFailure, ServiceState, StepName } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { asServiceError, isInterruptedError, isServiceError, recordRefuses } from "./failure.js";
import type { RunContext } from "./context.js";
import type { Service } from "./service.js";

/** The context's writer. @throws when a read-only command tries to write: a bug. */
export function writerOf(context: RunContext): RunWriter {
  if (context.writer === null) throw new Error("this command only reads");
  return context.writer;
}

/** Records an event, redacted, and emits it. */
export async function record(context: RunContext, event: RunEvent): Promise<void> {
  await change(context, [], [event]);
}

/**
 * Like `change`, but does not wait: the write reaches the disk before, or together with, the next one. If it fails, so
 * does the next one.
 */
export function note(context: RunContext, changes: readonly Change[], events: readonly RunEvent[]): void {
  writerOf(context).expect(change(context, changes, events));
}

/** Records changes together with their events, then emits the events. */
export async function change(
  context: RunContext,
  changes: readonly Change[],
  events: readonly RunEvent[],
): Promise<void> {
  await writerOf(context).write(
    ...changes,
    ...events.map((event) => ({ kind: "event" as const, event: context.redactor.redactData(event) })),
  );
  for (const event of events) context.emit(event);
}

/** The event of a service that enters a state. */
export function stateEvent(context: RunContext, service: Service, state: ServiceState): RunEvent {
  return { at: context.clock.now(), type: "service-state", service: service.name, level: service.level.name, state };
}

/** Moves a service to a state; `also` is recorded in the same write. */
export async function enterState(
  context: RunContext,
  service: Service,
  state: ServiceState,
  also: readonly Change[] = [],
): Promise<void> {
  await change(context, [{ kind: "service", id: service.id, state }, ...also], [stateEvent(context, service, state)]);
}

/** Like `enterState`, but does not wait: for a state that the next step leaves. */
export function passState(
  context: RunContext,
  service: Service,
  state: ServiceState,
  also: readonly Change[] = [],
): void {
  note(context, [{ kind: "service", id: service.id, state }, ...also], [stateEvent(context, service, state)]);
}

/**
 * Moves a service to "failed".
 * @returns the failure as it is recorded: redacted, and with its cause
 */
export async function enterFailure(
  context: RunContext,
  service: Service,
  failure: ServiceFailure,
): Promise<ServiceFailure> {
  const cause = failure.cause ?? context.coordination.causeOf(service);
  const safe = context.redactor.redactData({ ...failure, cause });
  await change(
    context,
    [{ kind: "service", id: service.id, state: "failed", failure: safe }],
    [stateEvent(context, service, "failed"), { at: context.clock.now(), type: "service-failed", failure: safe }],
  );
  return safe;
}

/** Records the state of the run at the end of a command. */
export async function enterRunState(context: RunContext, state: RunState, startedAt: number): Promise<void> {
  const at = context.clock.now();
  await change(
    context,
    [{ kind: "run", state }],
    [{ at, type: "run-finished", run: context.run.name, state, ms: at - startedAt }],
  );
}

export async function warn(context: RunContext, service: Service | null, message: string): Promise<void> {
  await record(context, warning(context, service, message));
}

/** The event of a warning, to be recorded with other changes. */
export function warning(context: RunContext, service: Service | null, message: string): RunEvent {
  return { at: context.clock.now(), type: "warning", service: service?.name ?? null, message };
}

/** The end of a step: its value, the outcome to record, and the exit code if a program ended. */
export interface StepEnd<T> {
  readonly value: T;
  readonly outcome: string;
  readonly exitCode: number | null;
}

/** A running step. */
export interface Step {
  readonly id: number;
  readonly service: Service;
  readonly name: StepName;
  readonly attempt: number;
  readonly startedAt: number;
}

/**
 * Runs one step of a service between two records: its start, which is on disk before `work` is called, and its end.
 * @param machineKey the machine that it is for, or null for a service without its own machine.
 * @throws ServiceError for any error of `work`, with the step named.
 */
export async function inStep<T>(
  context: RunContext,
  service: Service,
  name: StepName,
  attempt: number,
  machineKey: string | null,
  work: (step: Step) => Promise<StepEnd<T>>,
): Promise<T> {
  const startedAt = context.clock.now();
  const id = await beginStep(context, service, { name, attempt, machineKey, startedAt });
  return finishStep(context, { id, service, name, attempt, startedAt }, work);
}

/**
 * Like `inStep`, for a step without a program. Recovery does not need its start, so it does not wait for that write.
 */
export async function inBareStep<T>(
  context: RunContext,
  service: Service,
  name: "launch" | "connect" | "prepare",
  machineKey: string | null,
  work: () => Promise<StepEnd<T>>,
): Promise<T> {
  const startedAt = context.clock.now();
  const begun = beginStep(context, service, { name, attempt: 1, machineKey, startedAt });
  writerOf(context).expect(begun);
  return end(context, { service, name, attempt: 1, startedAt }, begun, work);
}

/** The second half of `inStep`, for a step that an earlier launcher started. */
export async function finishStep<T>(
  context: RunContext,
  step: Step,
  work: (step: Step) => Promise<StepEnd<T>>,
): Promise<T> {
  return end(context, step, step.id, () => work(step));
}

async function beginStep(
  context: RunContext,
  service: Service,
  {
    name,
    attempt,
    machineKey,
    startedAt,
  }: Pick<Step, "name" | "attempt" | "startedAt"> & { readonly machineKey: string | null },
): Promise<number> {
  const event = { at: startedAt, type: "step-started", service: service.name, step: name, attempt } as const;
  const id = await writerOf(context).beginStep({
    serviceId: service.id,
    step: name,
    attempt,
    machineKey,
    directoryPrefix: stepDirectory(service, name, ""),
    event,
  });
  context.emit(event);
  return id;
}

async function end<T>(
  context: RunContext,
  step: Omit<Step, "id">,
  id: number | Promise<number>,
  work: () => Promise<StepEnd<T>>,
): Promise<T> {
  let ended: StepEnd<T>;
  try {
    ended = await work();
  } catch (error) {
    const failure = asServiceError(step.service, step.name, error);
    if (recordRefuses(failure)) throw failure; // the record accepts no writes: the start of the step is all it has
    const exitCode = isServiceError(failure) ? failure.failure.exitCode : null;
    const mayRun = (isServiceError(failure) || isInterruptedError(failure)) && failure.mayRun;
    const changes: Change[] = mayRun ? [] : [{ kind: "step-ended", id: await id, outcome: "failed", exitCode }];
    const outcome = isInterruptedError(failure) && mayRun ? "unknown" : "failed";
    await change(context, changes, [stepFinished(context, step, outcome, exitCode)]);
    throw failure;
  }
  if (ended.outcome !== RECORDED) {
    note(
      context,
      [{ kind: "step-ended", id: await id, outcome: ended.outcome, exitCode: ended.exitCode }],
      [stepFinished(context, step, ended.outcome, ended.exitCode)],
    );
  }
  return ended.value;
}

/** The outcome of a step whose end was already recorded by its work, together with other changes. */
export const RECORDED = "recorded";

export function stepFinished(
  context: RunContext,
  step: Omit<Step, "id">,
  outcome: string,
  exitCode: number | null,
): RunEvent {
  const at = context.clock.now();
  return {
    at,
    type: "step-finished",
    service: step.service.name,
    step: step.name,
    attempt: step.attempt,
    ms: at - step.startedAt,
    exitCode,
    outcome,
  };
}

const WITH_PROGRAM: ReadonlySet<StepName> = new Set(["setup", "boot", "ready", "execute", "report", "terminate"]);

/** The directory of a step's program, below the machine's work directory; null for steps without a program. */
export function stepDirectory(service: Service, step: StepName, id: number | string): string | null {
  return WITH_PROGRAM.has(step) ? `${service.name}/${step}-${id}` : null;
}
