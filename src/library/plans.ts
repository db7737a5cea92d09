/** Launch plans: read, describe, check, rehearse. */
import { userHome } from "../model/environment.js";
import { watch, type EnvironmentOption, type VariableOptions, type WatchOptions } from "./options.js";
import type { Given, LaunchPlan, OnlineCheck, PlanDescription, RehearsalReport } from "./types.js";
import { planFile } from "./planFile.js";
import { resolveValues, sources, variableRecords } from "./variables.js";

/**
 * Reads and checks a launch plan: a file, or a folder with `launch.yaml`.
 * @param options.given numbers of replicas and values of inputs; they override the plan's.
 * @param options.givenBefore those of a run that is to follow the plan, see `givenOf`.
 * @throws PlanError with every mistake in the plan and in the given values.
 */
export async function loadPlan(
  path: string,
  options: EnvironmentOption & { readonly given?: Given; readonly givenBefore?: Given } = {},
): Promise<LaunchPlan> {
  const [{ loadPlan: load }, { loadDriver }] = await Promise.all([
    import("../plan/load.js"),
    import("../drivers/registry.js"),
  ]);
  const { env = {}, ...given } = options;
  return load(await planFile(path), { driverDefinition: loadDriver, home: userHome(env), ...given });
}

/** Describes what a plan would start: levels, services, replicas, clouds. */
export async function describePlan(plan: LaunchPlan): Promise<PlanDescription> {
  return (await import("../plan/describe.js")).describePlan(plan);
}

/**
 * Checks that every variable of the plan has a value.
 * @throws PlanError naming each variable without a value, and each given one that the plan does not have.
 */
export async function checkVariables(plan: LaunchPlan, options: VariableOptions = {}): Promise<void> {
  await resolveValues(plan, options);
}

/**
 * Asks the plan's clouds whether its launches would work; launches nothing. The result names what was not checked:
 * clouds whose drivers cannot check, and services that need values of others.
 * @param options.onWarning receives what could not be checked because a permission is missing.
 * @throws PlanError with every problem, CloudUnreachableError
 */
export async function checkOnline(
  plan: LaunchPlan,
  options: VariableOptions & { readonly onWarning?: (message: string) => void; readonly signal?: AbortSignal } = {},
): Promise<OnlineCheck> {
  const variables = await resolveValues(plan, options);
  const { checkOnline: check } = await import("../engine/operations/checkOnline.js");
  return check({
    plan,
    variables,
    env: options.env ?? {},
    warn: options.onWarning ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
  });
}

/**
 * Boots a plan many times on simulated clouds, in a temporary directory and with a simulated clock, and repairs what
 * did not come up. Nothing real is started or contacted. Variables without a value, and all secrets, get made-up
 * values.
 * @param options.faults a file of faults: the keys of a simulated cloud. Default: launches and programs take their
 *   usual time, and nothing fails.
 * @param options.runs the number of rehearsals; default 100.
 * @param options.repairs the maximum number of repairs of a run that did not come up; default 3.
 * @param options.seed the same seed gives the same rehearsals; default "1".
 * @param options.onProgress receives the number of finished rehearsals.
 * @param options.signal abort it to stop; finished rehearsals are in the result.
 * @throws PlanError for mistakes in the file of faults or in variables
 */
export async function rehearse(
  plan: LaunchPlan,
  options: VariableOptions &
    Pick<WatchOptions, "signal"> & {
      readonly faults?: string;
      readonly runs?: number;
      readonly repairs?: number;
      readonly seed?: string;
      readonly onProgress?: (done: number) => void;
    } = {},
): Promise<RehearsalReport> {
  const [{ readFaults }, { REALISTIC }, { PLACEHOLDER, rehearsalPlan }, { rehearsePlan }, { resolveVariables }] =
    await Promise.all([
      import("../engine/rehearsal/faults.js"),
      import("../engine/rehearsal/fittingDurations.js"),
      import("../engine/rehearsal/rehearsalPlan.js"),
      import("../engine/operations/rehearse.js"),
      import("../plan/references/variables.js"),
    ]);
  const rehearsed = rehearsalPlan(plan, options.faults === undefined ? null : readFaults(options.faults), REALISTIC);
  const madeUp = Object.fromEntries(plan.environment.map((name) => [name, PLACEHOLDER]));
  const variables = variableRecords(
    resolveVariables(rehearsed, { ...sources(options), env: { ...madeUp, ...options.env } }),
  );
  const { runs = 100, repairs = 3, seed = "1", onProgress = () => undefined } = options;
  return rehearsePlan({ plan: rehearsed, variables, runs, repairs, seed, onProgress, signal: watch(options).signal });
}

/** Converts a duration as written in plans (`90s`, `1h30m`) to milliseconds; NaN for other text. */
export async function parseDurationText(text: string): Promise<number> {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return Number.NaN;
  return (await import("../time/duration.js")).durationMs(text);
}
