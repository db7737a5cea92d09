/** Brings one level up: takes replaced machines down, brings services up in parallel, then runs execute programs. */
import { concealEarlier } from "../run/secrecy.js";
import type { LaunchResult } from "../launch/machineLaunches.js";
import {
  asServiceError,
  countErrors,
  InterruptedError,
  isInterruptedError,
  ServiceError,
  isServiceError,
} from "../run/failure.js";
import { enterFailure, record } from "../run/journal.js";
import { levelName } from "../run/context.js";
import type { Service } from "../run/service.js";
import { settleAll } from "../run/settleAll.js";
import type { Task } from "../tasks/agenda.js";
import { TakeDown } from "../tearDown/tearDown.js";
import { bringServiceUp } from "./bringServiceUp.js";
import type { BringUp } from "./bringUpContext.js";
import { execute } from "./execute.js";
import { markOutputsStale } from "./markOutputsStale.js";
import { willExecute } from "./willExecute.js";

/**
 * Brings services of one level up and waits until all have settled.
 * @returns the errors of services in the order in which they happened.
 */
export async function bringLevelUp(
  work: BringUp,
  index: number,
  services: readonly Service[],
): Promise<(ServiceError | InterruptedError)[]> {
  const { context, agenda } = work;
  const startedAt = context.clock.now();
  const level = levelName(context, index);
  await record(context, { at: startedAt, type: "level-started", level, index, services: services.length });
  const failed = new Map<Service, Error>();
  const replaced = services.filter((service) => isReplaced(agenda.of(service)));
  await work.early.begin(index, replaced);
  if (replaced.length > 0) {
    const ends = await new TakeDown(context, work.assignments, work.unfinished, work.force).retire(
      replaced,
      (service) => agenda.of(service) as Task,
    );
    ends.forEach((error, place) => {
      if (error !== null) failed.set(replaced[place] as Service, error);
    });
    for (const [service, { message }] of failed) context.coordination.progress.failed(service, message);
  }
  const going = services.filter((service) => !failed.has(service));
  if (failed.size > 0) work.early.stop();
  const settled = await settleLevel(work, index, going, failed.size === 0);
  const errors = [...failed.values(), ...settled];
  await concealEarlier(context);
  if (errors.length === 0) errors.push(...(await executeLevel(work, index)));
  errors.sort((one, other) => work.failed.indexOf(one) - work.failed.indexOf(other));
  context.coordination.progress.levelEnded(level);
  await concealEarlier(context);
  const at = context.clock.now();
  await record(context, {
    at,
    type: "level-finished",
    level,
    index,
    ms: at - startedAt,
    ...countErrors(errors),
  });
  return errors as (ServiceError | InterruptedError)[];
}

/**
 * Brings services up in parallel. A changed output may be an input of another service of the level, which then gets a
 * new task. Such tasks run in another round while the level is `healthy`. No service gets the same task twice, so there
 * are few rounds.
 */
async function settleLevel(
  work: BringUp,
  index: number,
  services: readonly Service[],
  healthy: boolean,
): Promise<Error[]> {
  const { context, agenda, early } = work;
  const carriedOut = new Map<Service, Task>();
  for (
    let going = services;
    going.length > 0;
    going = agenda
      .among(context.levels[index] ?? [])
      .filter((service) => agenda.of(service) !== carriedOut.get(service))
  ) {
    for (const service of going) carriedOut.set(service, agenda.of(service) as Task);
    markOutputsStale(work, going);
    context.coordination.progress.begin(going);
    const launches = early.launch(going.filter((service) => needsMachine(service, carriedOut.get(service) as Task)));
    const settled = await settleAll(
      going.map((service) => settle(work, service, carriedOut.get(service) as Task, launches.get(service) ?? null)),
    );
    const errors = settled.filter((error) => error !== null);
    if (errors.length > 0 || !healthy) return errors;
  }
  return [];
}

/** Runs the execute programs of a level in parallel. All its services are ready. */
async function executeLevel(work: BringUp, index: number): Promise<Error[]> {
  const { context, agenda } = work;
  const services = agenda
    .among(context.levels[index] ?? [])
    .filter((service) => willExecute(work, service, agenda.of(service) as Task));
  if (services.length === 0) return [];
  if (context.halt.aborted) return [new InterruptedError()];
  work.enterPhase("execute");
  context.coordination.progress.begin(services);
  const errors = await settleAll(
    services.map((service) => outcome(work, service, "execute", () => execute(work, service))),
  );
  work.enterPhase("boot");
  return errors.filter((error) => error !== null);
}

function isReplaced(task: Task | null): boolean {
  return task?.stage === "discard" || task?.stage === "replace";
}

function needsMachine({ spec }: Service, { stage }: Task): boolean {
  return spec.placement.kind === "cloud" && stage !== "boot" && stage !== "verify" && stage !== "execute";
}

/**
 * Carries out a service's task.
 * @returns its error, or null once it is ready.
 */
async function settle(
  work: BringUp,
  service: Service,
  task: Task,
  launch: Promise<LaunchResult> | null,
): Promise<ServiceError | InterruptedError | null> {
  const executes = willExecute(work, service, task);
  return outcome(work, service, executes ? "to execute" : "ready", async () => {
    if (task.stage === "execute" || task.stage === "verify") work.context.coordination.ranBefore(service);
    if (task.stage === "execute") await launch;
    else await bringServiceUp(work, service, task, launch);
  });
}

/**
 * Does part of a service's task. A failure is recorded at once, together with the state "failed". An interrupted
 * service keeps its state.
 */
async function outcome(
  work: BringUp,
  service: Service,
  then: "ready" | "to execute" | "execute",
  part: () => Promise<void>,
): Promise<ServiceError | InterruptedError | null> {
  const { context } = work;
  const { coordination } = context;
  try {
    await part();
    if (then !== "to execute") work.early.settled(service, null);
    coordination.progress.settled(service, then === "to execute" ? then : "ready");
    coordination.ended(service);
    return null;
  } catch (error) {
    work.early.stop();
    const failure = isInterruptedError(error)
      ? error
      : asServiceError(service, then === "execute" ? "execute" : "boot", error);
    coordination.progress.failed(service, isServiceError(failure) ? failure.failure.message : failure.message);
    coordination.ended(service);
    if (isInterruptedError(failure)) return failure;
    if (!isServiceError(failure)) throw failure; // the record cannot be written: continuing is not safe
    const recorded = new ServiceError(await enterFailure(context, service, failure.failure), { cause: failure.cause });
    work.failed.push(recorded);
    work.onFailure(recorded.failure);
    return recorded;
  }
}
