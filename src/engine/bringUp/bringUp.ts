/**
 * Brings services up by their tasks: levels in order, services of a level in parallel. No program of a level starts
 * before the level below is ready.
 */
import { concealEarlier } from "../run/secrecy.js";
import type { RunState, ServiceFailure } from "../../model/events.js";
import { orderByCause } from "../../model/failures.js";
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
  /** Whether a service failed because its cloud was unreachable. */
  readonly cloudUnreachable: boolean;
  /**
   * Machines that were started early for levels that never began: destroyed if the run failed, kept if it was
   * interrupted.
   */
  readonly unused: readonly UnusedMachine[];
  /** Why the run was aborted during the command, or null. */
  readonly aborted: Abort | null;
}

/** The result of a command's levels, before unused early machines are handled. */
type LevelsEnd = Omit<BringUpEnd, "unused" | "aborted">;

export interface BringUpOptions {
  /** The first boot of a new run. */
  readonly fresh?: boolean;
  /** Skip terminate programs. */
  readonly force?: boolean;
  /** Called when execute programs start, and when booting continues. */
  readonly enterPhase?: BringUp["enterPhase"];
  /** Called with the failure of each service, redacted. */
  readonly onFailure?: BringUp["onFailure"];
}

/**
 * Carries out the agenda, plus the tasks that changed attribute values add to it, and removes dropped services. The
 * failures of a level are in the result; no later level begins after one.
 * @throws StateError when the record cannot be written.
 */
export async function bringUp(
  context: RunContext,
  assignments: MachineAssignments,
  agenda: Agenda,
  { fresh = false, force = false, enterPhase = () => undefined, onFailure = () => undefined }: BringUpOptions = {},
): Promise<BringUpEnd> {
  const unfinished = unfinishedPrograms(fresh ? [] : await context.store.steps(context.run));
  const machines = new MachineLaunches(context, assignments);
  const early = new EarlyLaunches({
    context,
    assignments,
    agenda,
    machines,
    timetable: await Timetable.read(context, agenda),
  });
  const work: BringUp = {
    context,
    assignments,
    agenda,
    machines,
    early,
    unfinished,
    fresh,
    force,
    get dependencies() {
      return dependencies(context.plan);
    },
    failed: [],
    enterPhase,
    onFailure,
  };
  context.coordination.publishBy((service, attribute, also) => publish(work, service, [attribute], also));
  context.coordination.progress.expect(agenda.among(context.levels.flat()));
  markOutputsStale(work, context.levels.flat());
  await concealEarlier(context);
  let end: LevelsEnd;
  try {
    end = await bringLevelsUp(work);
  } catch (error) {
    // Wait for pending launch requests, so that their results are recorded as far as possible.
    await early.unused();
    throw error;
  }
  const unused = await early.unused();
  // An interrupted run is resumed soon, so its unused machines are kept. A failed run may wait for a long
  // investigation, and unused machines cost money.
  const settled =
    end.state === "failed" && !context.stop.aborted
      ? await endUnused(context, assignments, unused)
      : keepUnused(assignments, unused);
  return { ...end, unused: settled, aborted: context.abort.current };
}

async function bringLevelsUp(work: BringUp): Promise<LevelsEnd> {
  const { context, agenda } = work;
  // Dropped services that nothing refers to go first: a new service may need their place, such as a host of a pool. The
  // others go last, when their users no longer need them. A failed removal does not block the levels.
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

/** An aborted run has failed, even if no service has. */
function halted(context: RunContext): LevelsEnd {
  return context.abort.current === null ? interrupted : { ...interrupted, state: "failed" };
}

/**
 * The result that errors of services mean for the run; null without errors.
 * @param errors in the order in which they happened
 */
export function endOf(errors: readonly Error[], context: RunContext | null = null): LevelsEnd | null {
  const failed = errors.filter((error) => isServiceError(error));
  if (failed.length > 0)
    return {
      state: "failed",
      failures: orderByCause(failed.map((error) => error.failure)),
      cloudUnreachable: failed.some((error) => error.cloudUnreachable),
    };
  if (errors.length === 0) return null;
  return context === null ? interrupted : halted(context);
}

/** The run's state, computed from all its services: the command may have handled only some of them. */
async function stateNow(context: RunContext): Promise<RunState> {
  const services = await context.store.services(context.run);
  if (services.every((service) => service.state === "ready" && service.due === null)) return "ready";
  return services.some((service) => service.state === "failed") ? "failed" : "interrupted";
}

/** Takes down services that are no longer in the plan: one level at a time, the last one first, as terminate does. */
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
