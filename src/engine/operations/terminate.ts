/**
 * Terminates a run: from the last level to the first, terminate programs before machines. A machine that may still
 * exist is always reported.
 */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { isCloudUnreachableError, type Driver } from "../../drivers/contract/driver.js";
import type { RunEvent, RunState, ServiceFailure } from "../../model/events.js";
import { orderByCause } from "../../model/failures.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { countErrors, isServiceError } from "../run/failure.js";
import { change, enterRunState, record, warn } from "../run/journal.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { levelName, levelNames, type RunContext } from "../run/context.js";
import { TakeDown, type EndedMachine } from "../tearDown/tearDown.js";
import { unfinishedPrograms } from "../programs/unfinished.js";
import type { Service } from "../run/service.js";

export interface TerminateOptions extends WorkOptions {
  /** Skip the terminate programs. */
  readonly force: boolean;
  /** Only run the terminate programs: the machines and the run stay. */
  readonly keep: boolean;
  /** Collect the reports of services first. Default: true. */
  readonly reports?: boolean;
}

export interface TerminateResult {
  readonly run: string;
  readonly state: RunState;
  /** Machines that were destroyed. */
  readonly terminated: readonly EndedMachine[];
  /** Whether all programs have run and the machines were kept as requested. */
  readonly kept: boolean;
  readonly failures: readonly ServiceFailure[];
  readonly cloudUnreachable: boolean;
  readonly ms: number;
}

/** For processes that programs left on the launcher: the time between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000;

/**
 * Terminates a run. If a service of a level does not end, the levels below it stay. Safe to repeat.
 * @throws RunBusyError when another launcher works on the run.
 */
export async function terminateRun(store: Store, run: RunRecord, options: TerminateOptions): Promise<TerminateResult> {
  const over = {
    run: run.name,
    state: "terminated",
    terminated: [],
    kept: false,
    failures: [],
    cloudUnreachable: false,
    ms: 0,
  } as const;
  if (run.state === "terminated") return over;
  return workOnRun(
    store,
    run,
    "terminate",
    { ...options, secrets: options.force ? "optional" : "needed" },
    async (context, now) => {
      return now.state === "terminated" ? over : takeRunDown(context, options);
    },
  );
}

async function takeRunDown(
  context: RunContext,
  { force, keep, reports = true }: TerminateOptions,
): Promise<TerminateResult> {
  const { clock, run } = context;
  const startedAt = clock.now();
  const takeDown = new TakeDown(
    context,
    await MachineAssignments.read(context),
    unfinishedPrograms(await context.store.steps(run)),
    force,
    reports,
    true,
  );
  const started: RunEvent = {
    at: startedAt,
    type: "run-started",
    run: run.name,
    plan: context.plan.name,
    verb: "terminate",
    levels: levelNames(context),
  };
  await change(context, [{ kind: "run", state: "terminating", goal: "down" }], [started]);
  const errors = await takeLevelsDown(context, takeDown, keep);
  if (errors.length === 0 && !keep && !context.stop.aborted) errors.push(...(await endLeftovers(context, takeDown)));
  const state: RunState =
    errors.length > 0 && !context.stop.aborted ? "failed" : keep || context.stop.aborted ? "interrupted" : "terminated";
  await enterRunState(context, state, startedAt);
  return {
    run: run.name,
    state,
    terminated: takeDown.terminated,
    kept: keep && state === "interrupted" && !context.stop.aborted,
    failures: orderByCause(errors.filter((error) => isServiceError(error)).map((error) => error.failure)),
    cloudUnreachable: errors.some(
      (error) => isCloudUnreachableError(error) || (isServiceError(error) && error.cloudUnreachable),
    ),
    ms: clock.now() - startedAt,
  };
}

/**
 * Takes services down from the last level to the first; services dropped from the plan go before all others.
 * @returns the errors of the level that stopped the teardown
 */
async function takeLevelsDown(context: RunContext, takeDown: TakeDown, keep: boolean): Promise<Error[]> {
  const down = (services: readonly Service[], ending: "terminated" | "removed") =>
    keep ? takeDown.stopOnly(services) : takeDown.end(services, ending);
  const errors = (await down(context.dropped, "removed")).filter((error) => error !== null);
  for (let index = context.levels.length - 1; index >= 0 && errors.length === 0 && !context.stop.aborted; index -= 1) {
    const startedAt = context.clock.now();
    const level = levelName(context, index);
    await record(context, { at: startedAt, type: "level-started", level, index });
    const ends = await down(context.levels[index] ?? [], "terminated");
    errors.push(...ends.filter((error) => error !== null));
    const at = context.clock.now();
    await record(context, { at, type: "level-finished", level, index, ms: at - startedAt, ...countErrors(errors) });
  }
  return errors;
}

/**
 * Ends orphaned machines with the run's mark, processes that programs left on the launcher, and other resources that
 * drivers created for the run.
 */
async function endLeftovers(context: RunContext, takeDown: TakeDown): Promise<Error[]> {
  await context.links.clearLauncher(GRACE_MS);
  const installation = await context.store.installation();
  const errors: Error[] = [];
  for (const cloud of context.clouds.names) {
    try {
      const driver = await context.clouds.driver(cloud);
      await endStrays(context, takeDown, cloud, driver, installation);
      await release(context, cloud, driver, installation);
    } catch (error) {
      if (!isReleaseError(error))
        await warn(context, null, `cloud "${cloud}" may still have machines of this run: ${(error as Error).message}`);
      errors.push(error as Error);
    }
  }
  return errors;
}

async function endStrays(
  context: RunContext,
  takeDown: TakeDown,
  cloud: string,
  driver: Driver,
  installation: string,
): Promise<void> {
  const left = (await driver.list({ installation, run: context.run.uid }, context.stop)).filter(
    (machine) => machine.state !== "terminated",
  );
  for (const outcome of await driver.terminate(
    left.map((machine) => machine.id),
    context.stop,
  )) {
    if (outcome.kind === "failed") throw outcome.error;
  }
  for (const machine of left) await takeDown.noteStray(cloud, machine);
}

/** The machines are gone, but resources that drivers created for them are not. */
class ReleaseError extends BootlevelError {
  static override readonly code: string = "RELEASE";
}

const isReleaseError = guardOf(ReleaseError);

async function release(context: RunContext, cloud: string, driver: Driver, installation: string): Promise<void> {
  try {
    await driver.release?.({ installation, run: context.run.uid }, context.stop);
  } catch (error) {
    if (isCloudUnreachableError(error)) throw error;
    const { message } = error as Error;
    await warn(
      context,
      null,
      `the machines of this run are gone, but not all resources that cloud "${cloud}" created for them: ${message}. Repeat bootlevel terminate ${context.run.name}`,
    );
    throw new ReleaseError(message, { cause: error });
  }
}
