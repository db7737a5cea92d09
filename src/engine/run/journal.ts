/**
 * The only code that moves a service from state to state: writes it down first, then tells. What something depends on
 * is waited for; what only tells of the way (a connection is made, a state entered that the next step leaves) is
 * written with what comes next, in order, so that a service on its way waits for the disk a few times and not for each
 * word.
 */
import type { RunEvent, RunState, ServiceFailure, ServiceState, StepName } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { asServiceError, isServiceError, recordRefuses } from "./failure.js";
import type { RunContext } from "./context.js";
import type { Service } from "./service.js";

/** The context's writer. @throws when a command that only reads tries to write: a mistake of ours. */
export function writerOf(context: RunContext): RunWriter {
  if (context.writer === null) throw new Error("this command only reads");
  return context.writer;
}

/** Records an event, redacted, and tells it. */
export async function record(context: RunContext, event: RunEvent): Promise<void> {
  await change(context, [], [event]);
}

/**
 * As `change`, and does not wait: it is on disk before, or together with, whatever is written next. Should it fail, the
 * next write does.
 */
export function note(context: RunContext, changes: readonly Change[], events: readonly RunEvent[]): void {
  writerOf(context).expect(change(context, changes, events));
}

/** Writes changes down together with the events that tell of them, then tells the events. */
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

/** Moves a service to a state; `also` is written with it. */
export async function enterState(
  context: RunContext,
  service: Service,
  state: ServiceState,
  also: readonly Change[] = [],
): Promise<void> {
  await change(context, [{ kind: "service", id: service.id, state }, ...also], [stateEvent(context, service, state)]);
}

/** As `enterState`, and does not wait: for a state that the next step leaves. */
export function passState(
  context: RunContext,
  service: Service,
  state: ServiceState,
  also: readonly Change[] = [],
): void {
  note(context, [{ kind: "service", id: service.id, state }, ...also], [stateEvent(context, service, state)]);
}

export async function enterFailure(context: RunContext, service: Service, failure: ServiceFailure): Promise<void> {
  const safe = context.redactor.redactData(failure);
  await change(
    context,
    [{ kind: "service", id: service.id, state: "failed", failure: safe }],
    [stateEvent(context, service, "failed"), { at: context.clock.now(), type: "service-failed", failure: safe }],
  );
}

/** The end of what a command does to a run. */
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

/** The event of a warning, for those that are written with more. */
export function warning(context: RunContext, service: Service | null, message: string): RunEvent {
  return { at: context.clock.now(), type: "warning", service: service?.name ?? null, message };
}

/** What a step says of its end: the outcome's word for the record, and an exit code if a program ended. */
export interface StepEnd<T> {
  readonly value: T;
  readonly outcome: string;
  readonly exitCode: number | null;
}

/** A step under way. */
export interface Step {
  readonly id: number;
  readonly service: Service;
  readonly name: StepName;
  readonly attempt: number;
  readonly startedAt: number;
}

/**
 * Runs one step of a service between two records: that it begins, which is on disk before `work` is called, and how it
 * ended.
 * @param machineKey the machine that it is for, or null for a service that has none of its own.
 * @throws ServiceError for whatever `work` threw, with the step named.
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
 * As `inStep`, for a step that runs no program: nobody would look for it after a death, so its beginning is not waited
 * for.
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

/** The second half of `inStep`, for a step that an earlier launcher began. */
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
    if (recordRefuses(failure)) throw failure; // the record refuses more: what is there must do
    const exitCode = isServiceError(failure) ? failure.failure.exitCode : null;
    const changes: Change[] =
      isServiceError(failure) && failure.mayRun
        ? []
        : [{ kind: "step-ended", id: await id, outcome: "failed", exitCode }];
    await change(context, changes, [stepFinished(context, step, "failed", exitCode)]);
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

/** The outcome of a step whose end its work has written down already, together with more. */
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

/** Where a step's program lies, below the machine's work directory; null for steps that run none. */
export function stepDirectory(service: Service, step: StepName, id: number | string): string | null {
  return WITH_PROGRAM.has(step) ? `${service.name}/${step}-${id}` : null;
}
