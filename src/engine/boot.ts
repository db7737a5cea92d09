/** Boots a launch plan: level by level, side by side in a level, and no program of a level before every service of the one below is ready. */
import type { RunEvent, RunState, ServiceFailure } from "../events.js";
import type { LaunchPlan } from "../plan/launchPlan.js";
import { withoutSecretDefaults } from "../plan/resolve.js";
import type { VariableRecord } from "../state/records.js";
import type { RunWriter } from "../state/runWriter.js";
import type { Store } from "../state/store.js";
import { StateError } from "../state/stateError.js";
import { packBundles } from "./bundles.js";
import { bootService } from "./bootService.js";
import { asServiceError, InterruptedError, ServiceError } from "./failure.js";
import { enterFailure, enterRunState, record } from "./journal.js";
import { settleAll } from "./settleAll.js";
import { launchMachines, type Launch } from "./launchMachines.js";
import { underLease } from "./lease.js";
import { Placements } from "./placements.js";
import { closeContext, levelNames, openContext, type RunContext, type Service } from "./runContext.js";

export interface BootRequest {
  readonly plan: LaunchPlan;
  readonly variables: readonly VariableRecord[];
  /** The run's name, or null for one that is made up. */
  readonly name: string | null;
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator wants to stop. */
  readonly signal: AbortSignal;
}

export interface BootResult {
  readonly run: string;
  readonly state: RunState;
  readonly failures: readonly ServiceFailure[];
  /** Whether a service failed because its cloud did not answer at all. */
  readonly cloudUnreachable: boolean;
  readonly ms: number;
}

/**
 * Boots a plan. Failures of services are in the result; nothing that was started is taken down.
 * @throws StateError when the state cannot be recorded (nothing is started then), RunExistsError for a name in use.
 */
export async function bootRun(store: Store, request: BootRequest): Promise<BootResult> {
  checkRunName(request.name);
  const plan = withoutSecretDefaults(request.plan);
  const bundles = await packBundles(plan, store.home);
  const writer = await store.createRun({ name: request.name, plan, bundles, variables: request.variables });
  return underLease(writer, request.signal, (stop) => bootUnderLease(store, writer, plan, stop, request.observe));
}

/** Run names are typed, become parts of paths, and must not be mistaken for numbers. */
function checkRunName(name: string | null): void {
  if (name === null || /^[a-z][a-z0-9-]{0,62}$/.test(name)) return;
  throw new StateError(`${JSON.stringify(name)} cannot be a run's name`, "a run's name is a lower-case letter, then letters, digits and -, 63 at most");
}

async function bootUnderLease(store: Store, writer: RunWriter, plan: LaunchPlan, stop: AbortSignal, observe: (event: RunEvent) => void): Promise<BootResult> {
  const startedAt = Date.now();
  const context = await openContext({ run: writer.run, plan, store, writer, stop, observe });
  try {
    await record(context, { at: startedAt, type: "run-started", run: writer.run.name, plan: plan.name, verb: "boot", levels: levelNames(context) });
    const end = await bootLevels(context);
    await enterRunState(context, end.state, startedAt);
    return { run: writer.run.name, ...end, ms: Date.now() - startedAt };
  } finally {
    await closeContext(context);
  }
}

async function bootLevels(context: RunContext): Promise<Omit<BootResult, "run" | "ms">> {
  const placements = await Placements.read(context);
  for (const [index, services] of context.levels.entries()) {
    if (context.stop.aborted) return { state: "interrupted", failures: [], cloudUnreachable: false };
    const errors = await bootLevel(context, placements, index, services);
    const failed = errors.filter((error) => error instanceof ServiceError);
    if (failed.length > 0) return { state: "failed", failures: failed.map((error) => error.failure), cloudUnreachable: failed.some((error) => error.cloudUnreachable) };
    if (errors.length > 0) return { state: "interrupted", failures: [], cloudUnreachable: false };
  }
  return { state: "ready", failures: [], cloudUnreachable: false };
}

/** Boots one level and waits until every service of it has settled. */
async function bootLevel(context: RunContext, placements: Placements, index: number, services: readonly Service[]): Promise<(ServiceError | InterruptedError)[]> {
  const startedAt = Date.now();
  const level = context.plan.levels[index]?.name ?? "";
  await record(context, { at: startedAt, type: "level-started", level, index });
  const launches = launchMachines(context, services.filter((service) => service.spec.placement.kind === "cloud"));
  const settled = await settleAll(services.map((service) => settle(context, placements, service, launches.get(service) ?? null)));
  const errors = settled.filter((error) => error !== null);
  const failed = errors.filter((error) => error instanceof ServiceError).length;
  const at = Date.now();
  await record(context, { at, type: "level-finished", level, index, ms: at - startedAt, failed });
  return errors;
}

/** A service's end: null when it is ready. A failure is recorded at once, with its state; an interrupted service keeps its state. */
async function settle(context: RunContext, placements: Placements, service: Service, launch: Promise<Launch> | null): Promise<ServiceError | InterruptedError | null> {
  try {
    await bootService(context, placements, service, launch);
    return null;
  } catch (error) {
    if (error instanceof InterruptedError) return error;
    const failure = asServiceError(service, "boot", error);
    if (!(failure instanceof ServiceError)) throw failure; // the state cannot be recorded: nothing more can be done safely
    await enterFailure(context, service, failure.failure);
    return new ServiceError(context.redactor.redactData(failure.failure), { cause: failure.cause });
  }
}
