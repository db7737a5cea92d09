/**
 * Brings services up by their tasks: level by level, side by side in a level, and no program of a level before the one
 * below is ready.
 */
import type { RunState, ServiceFailure } from "../../model/events.js";
import { dependencies } from "../attributes/dependents.js";
import type { Agenda } from "../tasks/agenda.js";
import { InterruptedError, isServiceError } from "../run/failure.js";
import { EarlyLaunches } from "../launch/earlyLaunches.js";
import { MachineLaunches } from "../launch/machineLaunches.js";
import type { Abort } from "../../state/contract/records.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { bringLevelUp } from "./bringLevelUp.js";
import { markOutputsStale } from "./markOutputsStale.js";
import { publish } from "./publish.js";
import { TakeDown } from "../tearDown/tearDown.js";
import { unfinishedPrograms } from "../programs/unfinished.js";
import { Timetable } from "../launch/timetable.js";
import { endUnused, keepUnused, type UnusedMachine } from "../launch/unusedMachines.js";
import type { DroppedService } from "../run/service.js";
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
