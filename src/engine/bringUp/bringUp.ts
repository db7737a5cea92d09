/**
 * Brings services up by their tasks: level by level, side by side in a level, and no program of a level before the one
 * below is ready.
 */
import type { RunState, ServiceFailure } from "../../model/events.js";
import { dependencies } from "../attributes/dependents.js";
import type { Agenda, Task } from "../tasks/agenda.js";
import { asServiceError, InterruptedError, isInterruptedError, ServiceError, isServiceError } from "../run/failure.js";
import { enterFailure, record } from "../run/journal.js";
import { EarlyLaunches } from "../launch/earlyLaunches.js";
import { MachineLaunches, type LaunchResult } from "../launch/machineLaunches.js";
import type { Abort } from "../../state/contract/records.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { levelName, type RunContext } from "../run/context.js";
import { execute } from "./execute.js";
import { markOutputsStale } from "./markOutputsStale.js";
import { publish } from "./publish.js";
import { bringServiceUp, willExecute } from "./bringServiceUp.js";
import { settleAll } from "../run/settleAll.js";
import { TakeDown } from "../tearDown/tearDown.js";
import { unfinishedPrograms } from "../programs/unfinished.js";
import { Timetable } from "../launch/timetable.js";
import { endUnused, keepUnused, type UnusedMachine } from "../launch/unusedMachines.js";
import type { DroppedService, Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

export interface BringUpEnd {
  readonly state: RunState;
  readonly failures: readonly ServiceFailure[];
  /** Whether a service failed because its cloud did not answer at all. */
  readonly cloudUnreachable: boolean;
  /**
   * Machines that were started early, for levels that never began: ended when the run failed, kept when it was
   * interrupted.
   */
  readonly unused: readonly UnusedMachine[];
  /** Why the run was aborted meanwhile, or null. */
  readonly aborted: Abort | null;
}

/** The end of a command's levels, before what was started early is seen to. */
type LevelsEnd = Omit<BringUpEnd, "unused" | "aborted">;

export interface BringUpOptions {
  /** The first boot of a new run. */
  readonly fresh?: boolean;
  /** Leave terminate programs out. */
  readonly force?: boolean;
  /** Told when execute programs begin to run, and when booting goes on. */
  readonly enterPhase?: BringUp["enterPhase"];
}

/**
 * Does what is on the agenda, and what changed values add to it, and removes services that the plan has no more.
 * Failures of services are in the result, and end it with their level.
 */
export async function bringUp(
  context: RunContext,
  assignments: MachineAssignments,
  agenda: Agenda,
  { fresh = false, force = false, enterPhase = () => undefined }: BringUpOptions = {},
): Promise<BringUpEnd> {
  const unfinished = unfinishedPrograms(fresh ? [] : await context.store.steps(context.run));
  const early = new EarlyLaunches({
    context,
    assignments,
    agenda,
    machines: new MachineLaunches(context, assignments),
    timetable: await Timetable.read(context, agenda),
  });
  const work: BringUp = {
    context,
    assignments,
    agenda,
    early,
    unfinished,
    fresh,
    force,
    get dependencies() {
      return dependencies(context.plan);
    },
    failed: [],
    enterPhase,
  };
  context.coordination.publishBy((service, attribute) => publish(work, service, [attribute]));
  context.coordination.progress.expect(agenda.among(context.levels.flat()));
  markOutputsStale(work, context.levels.flat());
  let end: LevelsEnd;
  try {
    end = await bringLevelsUp(work);
  } catch (error) {
    // What was asked for is answered and written down, as far as the record takes it.
    await early.unused();
    throw error;
  }
  const unused = await early.unused();
  // An operator who interrupts a run goes on with it; who looks into a failure takes the time that it takes, and unused
  // machines cost money.
  const settled =
    end.state === "failed" && !context.stop.aborted
      ? await endUnused(context, assignments, unused)
      : keepUnused(assignments, unused);
  return { ...end, unused: settled, aborted: context.abort.current };
}

async function bringLevelsUp(work: BringUp): Promise<LevelsEnd> {
  const { context, agenda } = work;
  // What nobody needed goes first, since what comes may need its place (a host of a pool); the rest last, when whoever
  // used it does without. One that does not go keeps nobody from coming up.
  const left = await removeDropped(work, (service) => !service.needed);
  for (const [index, services] of context.levels.entries()) {
    if (context.halt.aborted) return halted(context);
    const due = agenda.among(services);
    if (due.length === 0 && services.length > 0) continue;
    const errors = await bringLevelUp(work, index, due);
    if (errors.length > 0) return endOf([...left, ...errors], context) ?? interrupted;
  }
  const end = endOf([...left, ...(await removeDropped(work, (service) => service.needed))]);
  return end ?? { state: await stateNow(context), failures: [], cloudUnreachable: false };
}

const interrupted: LevelsEnd = { state: "interrupted", failures: [], cloudUnreachable: false };

/** A run that was aborted has failed, even where no service has. */
function halted(context: RunContext): LevelsEnd {
  return context.abort.current === null ? interrupted : { ...interrupted, state: "failed" };
}

/** What errors mean for the run; null when there are none. */
export function endOf(errors: readonly Error[], context: RunContext | null = null): LevelsEnd | null {
  const failed = errors.filter((error) => isServiceError(error));
  if (failed.length > 0)
    return {
      state: "failed",
      failures: failed.map((error) => error.failure),
      cloudUnreachable: failed.some((error) => error.cloudUnreachable),
    };
  if (errors.length === 0) return null;
  return context === null ? interrupted : halted(context);
}

/** A command that was for some services only leaves the run in the state that all of them make. */
async function stateNow(context: RunContext): Promise<RunState> {
  const services = await context.store.services(context.run);
  if (services.every((service) => service.state === "ready" && service.due === null)) return "ready";
  return services.some((service) => service.state === "failed") ? "failed" : "interrupted";
}

/** Brings services of one level up and waits until every one has settled. */
async function bringLevelUp(
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
  if (errors.length === 0) errors.push(...(await executeLevel(work, index)));
  // In the plan's order; but of a run that was aborted those come first that failed before the others were ended.
  if (context.abort.current !== null)
    errors.sort((one, other) => work.failed.indexOf(one) - work.failed.indexOf(other));
  context.coordination.progress.levelEnded(level);
  const at = context.clock.now();
  await record(context, {
    at,
    type: "level-finished",
    level,
    index,
    ms: at - startedAt,
    failed: errors.filter((error) => isServiceError(error)).length,
  });
  return errors as (ServiceError | InterruptedError)[];
}

/**
 * Tells the stories of services side by side. A value that one of them has changed may be an input of another one of
 * the level, which then gets a task: it is told in another round, in a level that is `healthy` so far. None gets the
 * same task twice, so there are few.
 */
async function settleLevel(
  work: BringUp,
  index: number,
  services: readonly Service[],
  healthy: boolean,
): Promise<Error[]> {
  const { context, agenda, early } = work;
  const told = new Map<Service, Task>();
  for (
    let going = services;
    going.length > 0;
    going = agenda.among(context.levels[index] ?? []).filter((service) => agenda.of(service) !== told.get(service))
  ) {
    for (const service of going) told.set(service, agenda.of(service) as Task);
    markOutputsStale(work, going);
    context.coordination.progress.begin(going);
    const launches = early.launch(going.filter((service) => needsMachine(service, told.get(service) as Task)));
    const settled = await settleAll(
      going.map((service) => settle(work, service, told.get(service) as Task, launches.get(service) ?? null)),
    );
    const errors = settled.filter((error) => error !== null);
    if (errors.length > 0 || !healthy) return errors;
  }
  return [];
}

/** Runs the execute programs of a level whose services are all ready, side by side. */
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

/** A service's end: null when it is ready. */
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
 * Does a part of a service's story. A failure is recorded at once, with its state; an interrupted service keeps its
 * state.
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
    if (!isServiceError(failure)) throw failure; // the state cannot be recorded: nothing more can be done safely
    await enterFailure(context, service, failure.failure);
    const told = new ServiceError(context.redactor.redactData(failure.failure), { cause: failure.cause });
    work.failed.push(told);
    return told;
  }
}

/** Takes down services that the plan has no more: a level at a time, the last one first, as in a terminate. */
async function removeDropped(
  { context, assignments, unfinished, force }: BringUp,
  chosen: (service: DroppedService) => boolean,
): Promise<Error[]> {
  const dropped = context.dropped.filter(chosen);
  if (dropped.length > 0 && context.stop.aborted) return [new InterruptedError()];
  const takeDown = new TakeDown(context, assignments, unfinished, force);
  for (const level of new Set(dropped.map((service) => service.level))) {
    const errors = (
      await takeDown.end(
        dropped.filter((service) => service.level === level),
        "removed",
      )
    ).filter((error) => error !== null);
    if (errors.length > 0) return errors;
  }
  return [];
}
