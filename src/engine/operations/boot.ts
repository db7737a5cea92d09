/** Boots a launch plan as a new run. */
import type { RunEvent, RunState, ServiceFailure } from "../../model/events.js";
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { withoutSecretDefaults } from "../../plan/references/resolve.js";
import type { VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { StateError } from "../../state/contract/errors.js";
import { Agenda } from "../tasks/agenda.js";
import { bringUp } from "../bringUp/bringUp.js";
import { chooseImages } from "../images/chooseImages.js";
import { packBundles } from "../programs/bundles.js";
import { enterRunState, record, warn } from "../run/journal.js";
import { withSelfAbort } from "../run/selfAbort.js";
import type { Abort } from "../../state/contract/records.js";
import { underLease } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import type { UnusedMachine } from "../launch/unusedMachines.js";
import { levelNames, type RunContext } from "../run/context.js";
import { closeContext, openContext } from "../session/openContext.js";
import type { Session } from "../session/session.js";

export interface BootRequest {
  readonly plan: LaunchPlan;
  readonly variables: readonly VariableRecord[];
  /** The run's name; null generates one. */
  readonly name: string | null;
  /** The command: `run` also executes and terminates. */
  readonly verb?: "boot" | "run";
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator stops the command. */
  readonly signal: AbortSignal;
  /**
   * Which built images machines may start from. "parents": only images that the image being built is based on. Default:
   * "all".
   */
  readonly images?: "all" | "parents";
  /** Keeps connections for later commands on the run. Default: none are kept. */
  readonly session?: Session;
}

export interface BootResult {
  readonly run: string;
  readonly state: RunState;
  readonly failures: readonly ServiceFailure[];
  /** Whether a service failed because its cloud was unreachable. */
  readonly cloudUnreachable: boolean;
  /** Why the run was aborted during the command, or null. */
  readonly aborted: Abort | null;
  /**
   * Machines that were started early for levels that never began: destroyed if the run failed, kept if it was
   * interrupted.
   */
  readonly unused: readonly UnusedMachine[];
  readonly ms: number;
}

/**
 * Boots a plan. Failures of services are in the result. Services that are up stay up.
 * @throws StateError when the state cannot be recorded (nothing has been started then); RunExistsError for a name in
 *   use.
 */
export async function bootRun(store: Store, request: BootRequest): Promise<BootResult> {
  checkRunName(request.name);
  const { variables } = request;
  const written = withoutSecretDefaults(request.plan);
  const bundles = await packBundles(written, store.files.bundles);
  const { plan, warnings } = chooseImages({
    plan: written,
    bundles,
    variables,
    built: await store.builtImages(),
    before: null,
    whole: request.images !== "parents",
  });
  const writer = await store.createRun({ name: request.name, plan, bundles, variables });
  return underLease(writer, request.signal, async (hold) => {
    const { observe, session } = request;
    const context = await openContext({
      run: writer.run,
      store,
      writer,
      ...hold,
      observe,
      ...(session && { session }),
    });
    try {
      return await bootServices(context, request, warnings);
    } finally {
      await closeContext(context);
    }
  });
}

/** Run names are typed, become parts of paths, and must not look like run numbers. */
function checkRunName(name: string | null): void {
  if (name === null || /^[a-z][a-z0-9-]{0,62}$/.test(name)) return;
  throw new StateError(
    `${JSON.stringify(name)} cannot be a run's name`,
    "a run's name is a lower-case letter, then letters, digits and -, 63 at most",
  );
}

async function bootServices(
  context: RunContext,
  { verb = "boot", signal }: BootRequest,
  warnings: readonly string[],
): Promise<BootResult> {
  const startedAt = context.clock.now();
  const { run, plan } = context;
  await record(context, {
    at: startedAt,
    type: "run-started",
    run: run.name,
    plan: plan.name,
    verb,
    levels: levelNames(context),
  });
  for (const warning of warnings) await warn(context, null, warning);
  const agenda = new Agenda();
  for (const service of context.levels.flat()) agenda.add(service, { stage: "launch", reason: "boot", resume: false });
  const assignments = await MachineAssignments.read(context);
  const end = await withSelfAbort(context, verb, signal, (hooks) =>
    bringUp(context, assignments, agenda, { fresh: true, ...hooks }),
  );
  await enterRunState(context, end.state, startedAt);
  return { run: run.name, ...end, ms: context.clock.now() - startedAt };
}
