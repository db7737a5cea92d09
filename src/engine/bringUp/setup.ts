/**
 * Runs an image's setup steps (packages and recipes) on a machine that was not started from a built image. Each step
 * runs once per machine, or is waited for if an earlier launcher started it.
 */
import type { SetupSpec } from "../../plan/launchPlan/launchPlan.js";
import { NO_PACKAGE_MANAGER, PACKAGES_MISSING, PACKAGES_NEED_ROOT, packagesOf } from "../../plan/compile/packages.js";
import type { StepRecord } from "../../state/contract/records.js";
import { endUnfinished } from "../programs/unfinished.js";
import { setupBundleName } from "../programs/bundles.js";
import { describeResult, runServiceProgram, whyEnded, type ProgramEnd } from "../programs/runServiceProgram.js";
import type { ProgramRun } from "../programs/programRequest.js";
import { InterruptedError, serviceError, type ServiceError } from "../run/failure.js";
import {
  change,
  finishStep,
  passState,
  RECORDED,
  stepDirectory,
  stepFinished,
  writerOf,
  type Step,
  type StepEnd,
} from "../run/journal.js";
import type { RunContext } from "../run/context.js";
import { recoverStep } from "./recoverStep.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/** Exit codes of the packages program that come with one line, which explains them. */
const EXPLAINED: readonly number[] = [PACKAGES_MISSING, NO_PACKAGE_MANAGER, PACKAGES_NEED_ROOT];

/** One setup step that the machine lacks. `attempt` is its position among the setup steps, from 1. */
interface Part {
  readonly service: Service;
  readonly setup: SetupSpec;
  readonly attempt: number;
  /** The key of the machine, which may be another service's; null for a host that no run started. */
  readonly machineKey: string | null;
}

/**
 * Runs the setup steps that the service's machine lacks, in order.
 * @returns whether there were any; if so, the service is now in state "booting".
 * @throws ServiceError at the first step that fails; InterruptedError between steps, when nothing new may start.
 */
export async function setUp(work: BringUp, service: Service): Promise<boolean> {
  const { context, assignments } = work;
  const machineKey = assignments.machine(assignments.owner(service))?.key ?? null;
  const unfinished = (work.unfinished.get(service.id) ?? []).filter(
    (step) => step.step === "setup" && step.machineKey === machineKey,
  );
  const missing = await missingParts(work, service, machineKey);
  const started = unfinished.findLast((step) => step.content !== null && step.content === missing[0]?.setup.content);
  await endUnfinished(
    context,
    assignments,
    service,
    unfinished.filter((step) => step !== started),
  );
  if (missing.length > 0) passState(context, service, "booting");
  for (const part of missing) {
    if (context.halt.aborted) throw new InterruptedError();
    const resumed = part === missing[0] && started !== undefined && (await resume(work, part, started));
    if (!resumed) await run(work, part);
  }
  return missing.length > 0;
}

async function missingParts({ context, fresh }: BringUp, service: Service, machineKey: string | null): Promise<Part[]> {
  const setups = service.spec.setup;
  if (setups.length === 0) return [];
  const done = fresh ? new Set<string>() : await context.store.setups(service.id, machineKey);
  return setups
    .map((setup, index) => ({ service, setup, attempt: index + 1, machineKey }))
    .filter(({ setup }) => !done.has(setup.content ?? ""));
}

async function run({ context, assignments }: BringUp, part: Part): Promise<void> {
  const { service, setup, attempt, machineKey } = part;
  const startedAt = context.clock.now();
  const event = { at: startedAt, type: "step-started", service: service.name, step: "setup", attempt } as const;
  const id = await writerOf(context).beginStep({
    serviceId: service.id,
    step: "setup",
    attempt,
    machineKey,
    directoryPrefix: stepDirectory(service, "setup", ""),
    event,
    ...(setup.content === undefined ? {} : { content: setup.content }),
  });
  context.emit(event);
  await finishStep(context, { id, service, name: "setup", attempt, startedAt }, async (step) => {
    const directory = stepDirectory(service, "setup", id) as string;
    return setupEnd(
      context,
      part,
      await runServiceProgram(
        context,
        assignments,
        programRun(context, step, part, directory, setup.program.timeoutMs),
      ),
    );
  });
}

/**
 * Waits for a program that an earlier launcher started.
 * @returns false if it must be started again.
 */
function resume(work: BringUp, part: Part, before: StepRecord): Promise<boolean> {
  const { context } = work;
  return recoverStep(work, {
    service: part.service,
    step: "setup",
    what: nameOf(part.setup),
    before,
    timeoutMs: part.setup.program.timeoutMs,
    run: (step, directory, timeoutMs) => programRun(context, step, part, directory, timeoutMs),
    ended: async (_step, end) => setupEnd(context, part, end),
  });
}

/**
 * @param directory the program's directory. If an earlier launcher staged it, the path may contain the service's name
 *   of that time.
 */
function programRun(
  context: RunContext,
  step: Step,
  { service, setup }: Part,
  directory: string,
  timeoutMs: number,
): ProgramRun {
  return {
    service,
    step: "setup",
    program: setup.program,
    bundle: setupBundleName(service.spec.name, setup),
    directory,
    timeoutMs,
    attempt: step.attempt,
    // Recorded before its files are removed from the machine: after a crash, the step counts either as done or as not
    // done.
    onResult: async ({ code }) => {
      if (code === 0)
        await change(
          context,
          [{ kind: "step-ended", id: step.id, outcome: "exited", exitCode: 0 }],
          [stepFinished(context, step, "exited", 0)],
        );
    },
  };
}

function setupEnd(context: RunContext, part: Part, end: ProgramEnd): StepEnd<void> {
  const { result } = end;
  if (result.kind === "exited" && result.code === 0) return { value: undefined, outcome: RECORDED, exitCode: 0 };
  throw failure(part, end, whyEnded(context, "setup"));
}

function failure(
  { service, setup }: Part,
  { result, machine, log, lastLines }: ProgramEnd,
  why: string | null,
): ServiceError {
  const exitCode = result.kind === "exited" ? result.code : null;
  const explanation =
    setup.kind === "packages" && exitCode !== null && EXPLAINED.includes(exitCode) ? lastLines.at(-1) : undefined;
  return serviceError(
    service,
    "setup",
    `${nameOf(setup)} failed: ${explanation ?? describeResult(result, why)}`,
    { exitCode, machine, log, lastLines },
    undefined,
    result.kind === "unknown",
  );
}

/** For messages: `the recipe of image "apache"`. */
function nameOf(setup: SetupSpec): string {
  return setup.kind === "recipe"
    ? `the recipe of image "${setup.image}"`
    : `installing the packages of image "${setup.image}" (${packagesOf(setup).join(", ")})`;
}
