/** Brings services up by their tasks: level by level, side by side in a level, and no program of a level before the one below is ready. */
import type { RunState, ServiceFailure } from "../../events.js";
import { dependencies } from "../plans/dependents.js";
import type { Agenda, Task } from "./agenda.js";
import { asServiceError, InterruptedError, ServiceError } from "../run/failure.js";
import { enterFailure, record } from "../run/journal.js";
import { EarlyLaunches } from "./earlyLaunches.js";
import { MachineLaunches, type Launch } from "./machineLaunches.js";
import type { Placements } from "../run/placements.js";
import { levelName, type DroppedService, type RunContext, type Service } from "../run/runContext.js";
import { tellStory, type BringUp } from "./serviceStory.js";
import { settleAll } from "../run/settleAll.js";
import { TakeDown } from "../down/takeDown.js";
import { unfinishedPrograms } from "../down/unfinished.js";
import { Timetable } from "./timetable.js";
import { endUnused, keepUnused, type UnusedMachine } from "./unusedMachines.js";

export interface BringUpEnd {
  readonly state: RunState;
  readonly failures: readonly ServiceFailure[];
  /** Whether a service failed because its cloud did not answer at all. */
  readonly cloudUnreachable: boolean;
  /** Machines that were started early, for levels that never began: ended when the run failed, kept when it was interrupted. */
  readonly unused: readonly UnusedMachine[];
}

/** The end of a command's levels, before what was started early is seen to. */
type LevelsEnd = Omit<BringUpEnd, "unused">;

/**
 * Does what is on the agenda, and what changed values add to it, and removes services that the plan has no more. Failures of services are in the
 * result, and end it with their level.
 * @param options.fresh the first boot of a new run; options.force leaves terminate programs out.
 */
export async function bringUp(context: RunContext, placements: Placements, agenda: Agenda, { fresh = false, force = false } = {}): Promise<BringUpEnd> {
  const unfinished = unfinishedPrograms(fresh ? [] : await context.store.steps(context.run));
  const early = new EarlyLaunches({ context, placements, agenda, machines: new MachineLaunches(context, placements), timetable: await Timetable.read(context, agenda) });
  const work: BringUp = { context, placements, agenda, early, unfinished, fresh, force, dependencies: dependencies(context.plan) };
  let end: LevelsEnd;
  try {
    end = await bringLevelsUp(work);
  } catch (error) {
    // What was asked for is answered and written down, as far as the record takes it.
    await early.unused();
    throw error;
  }
  const unused = await early.unused();
  // An operator who interrupts a run goes on with it; who looks into a failure takes the time that it takes, and unused machines cost money.
  const settled = end.state === "failed" && !context.stop.aborted ? await endUnused(context, placements, unused) : keepUnused(placements, unused);
  return { ...end, unused: settled };
}

async function bringLevelsUp(work: BringUp): Promise<LevelsEnd> {
  const { context, agenda } = work;
  // What nobody needed goes first, since what comes may need its place (a host of a pool); the rest last, when whoever used it does without.
  // One that does not go keeps nobody from coming up.
  const left = await removeDropped(work, (service) => !service.needed);
  for (const [index, services] of context.levels.entries()) {
    if (context.stop.aborted) return interrupted;
    const due = agenda.among(services);
    if (due.length === 0 && services.length > 0) continue;
    const errors = await bringLevelUp(work, index, due);
    if (errors.length > 0) return endOf([...left, ...errors]) ?? interrupted;
  }
  const end = endOf([...left, ...(await removeDropped(work, (service) => service.needed))]);
  return end ?? { state: await stateNow(context), failures: [], cloudUnreachable: false };
}

const interrupted: LevelsEnd = { state: "interrupted", failures: [], cloudUnreachable: false };

/** What errors mean for the run; null when there are none. */
export function endOf(errors: readonly Error[]): LevelsEnd | null {
  const failed = errors.filter((error) => error instanceof ServiceError);
  if (failed.length > 0) return { state: "failed", failures: failed.map((error) => error.failure), cloudUnreachable: failed.some((error) => error.cloudUnreachable) };
  return errors.length > 0 ? interrupted : null;
}

/** A command that was for some services only leaves the run in the state that all of them make. */
async function stateNow(context: RunContext): Promise<RunState> {
  const services = await context.store.services(context.run);
  if (services.every((service) => service.state === "ready" && service.due === null)) return "ready";
  return services.some((service) => service.state === "failed") ? "failed" : "interrupted";
}

/** Brings services of one level up and waits until every one has settled. */
async function bringLevelUp(work: BringUp, index: number, services: readonly Service[]): Promise<(ServiceError | InterruptedError)[]> {
  const { context, agenda } = work;
  const startedAt = context.clock.now();
  const level = levelName(context, index);
  await record(context, { at: startedAt, type: "level-started", level, index, services: services.length });
  const failed = new Map<Service, Error>();
  const replaced = services.filter((service) => isReplaced(agenda.of(service)));
  await work.early.begin(index, replaced);
  if (replaced.length > 0) {
    const ends = await new TakeDown(context, work.placements, work.unfinished, work.force).retire(replaced, (service) => agenda.of(service) as Task);
    ends.forEach((error, place) => { if (error !== null) failed.set(replaced[place] as Service, error); });
  }
  const going = services.filter((service) => !failed.has(service));
  if (failed.size > 0) work.early.stop();
  const launches = work.early.launch(going.filter((service) => needsMachine(service, agenda.of(service) as Task)));
  const settled = await settleAll(going.map((service) => settle(work, service, agenda.of(service) as Task, launches.get(service) ?? null)));
  const errors = [...failed.values(), ...settled.filter((error) => error !== null)];
  const at = context.clock.now();
  await record(context, { at, type: "level-finished", level, index, ms: at - startedAt, failed: errors.filter((error) => error instanceof ServiceError).length });
  return errors as (ServiceError | InterruptedError)[];
}

function isReplaced(task: Task | null): boolean {
  return task?.stage === "discard" || task?.stage === "replace";
}

function needsMachine({ spec }: Service, { stage }: Task): boolean {
  return spec.placement.kind === "cloud" && stage !== "boot" && stage !== "verify";
}

/** A service's end: null when it is ready. A failure is recorded at once, with its state; an interrupted service keeps its state. */
async function settle(work: BringUp, service: Service, task: Task, launch: Promise<Launch> | null): Promise<ServiceError | InterruptedError | null> {
  const { context } = work;
  try {
    await tellStory(work, service, task, launch);
    work.early.settled(service, null);
    return null;
  } catch (error) {
    work.early.stop();
    if (error instanceof InterruptedError) return error;
    const failure = asServiceError(service, "boot", error);
    if (!(failure instanceof ServiceError)) throw failure; // the state cannot be recorded: nothing more can be done safely
    await enterFailure(context, service, failure.failure);
    return new ServiceError(context.redactor.redactData(failure.failure), { cause: failure.cause });
  }
}

/** Takes down services that the plan has no more: a level at a time, the last one first, as in a terminate. */
async function removeDropped({ context, placements, unfinished, force }: BringUp, chosen: (service: DroppedService) => boolean): Promise<Error[]> {
  const dropped = context.dropped.filter(chosen);
  if (dropped.length > 0 && context.stop.aborted) return [new InterruptedError()];
  const takeDown = new TakeDown(context, placements, unfinished, force);
  for (const level of new Set(dropped.map((service) => service.level))) {
    const errors = (await takeDown.end(dropped.filter((service) => service.level === level), "removed")).filter((error) => error !== null);
    if (errors.length > 0) return errors;
  }
  return [];
}
