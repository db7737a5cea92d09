/**
 * Programs that set outputs: boot and execute. The program's end, its outputs and the service's next state are recorded
 * in one write.
 */
import { BUILT_IN_ATTRIBUTES, type ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue, StepRecord } from "../../state/contract/records.js";
import {
  describeResult,
  programWords,
  runServiceProgram,
  whyEnded,
  type ProgramEnd,
} from "../programs/runServiceProgram.js";
import { unset, type ProgramRun } from "../programs/programRequest.js";
import { serviceError, type FailureDetails, type ServiceError } from "../run/failure.js";
import {
  inStep,
  RECORDED,
  stateEvent,
  stepDirectory,
  stepFinished,
  warn,
  type Step,
  type StepEnd,
} from "../run/journal.js";
import { publish } from "./publish.js";
import { recoverStep } from "./recoverStep.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/** The most outputs that a warning names. */
const MOST_NAMED = 20;

export interface OutputProgram {
  readonly step: "boot" | "execute";
  readonly program: ProgramSpec;
  /** The step of an earlier launcher to continue, if there is one. */
  readonly before: StepRecord | undefined;
  /** The service's state after the program has succeeded. */
  readonly next: "verifying" | "ready";
  /** Called before a new start of the program. */
  readonly begin: () => void;
  /**
   * Further changes to record together with the program's end. @param set the names of outputs that the output file has
   * set
   */
  readonly also: (service: Service, set: readonly string[]) => readonly Change[];
}

/**
 * Runs the program once, or waits for it if an earlier launcher started it. Then publishes its outputs.
 * @throws ServiceError
 */
export async function runOutputProgram(work: BringUp, service: Service, spec: OutputProgram): Promise<void> {
  const { context, assignments } = work;
  const { step: name, program, before } = spec;
  const run = (step: Step, directory: string, timeoutMs: number) => programRun(work, step, spec, directory, timeoutMs);
  const ended = (step: Step, end: ProgramEnd) => endOf(work, step, spec, end);
  if (
    before !== undefined &&
    (await recoverStep(work, {
      service,
      step: name,
      what: `its ${name} program`,
      before,
      timeoutMs: program.timeoutMs,
      run,
      ended,
    }))
  ) {
    context.coordination.ranBefore(service);
    return;
  }
  spec.begin();
  await inStep(context, service, name, 1, assignments.machine(service)?.key ?? null, async (step) => {
    return ended(
      step,
      await runServiceProgram(
        context,
        assignments,
        run(step, stepDirectory(service, name, step.id) as string, program.timeoutMs),
      ),
    );
  });
}

/**
 * @param directory the program's directory. If an earlier launcher staged it, the path may contain the service's name
 *   of that time.
 */
function programRun(work: BringUp, step: Step, spec: OutputProgram, directory: string, timeoutMs: number): ProgramRun {
  const { service, attempt } = step;
  return {
    service,
    step: spec.step,
    program: spec.program,
    directory,
    timeoutMs,
    attempt,
    onResult: async ({ code, outputs }) => {
      if (code === 0 && outputProblem(work, service, spec.step, outputs) === null)
        await recordEnd(work, step, spec, outputs);
    },
  };
}

/** One write: after a crash, the program counts either as done or as not done. */
async function recordEnd(
  work: BringUp,
  step: Step,
  { step: name, next, also }: OutputProgram,
  outputs: ReadonlyMap<string, string>,
): Promise<void> {
  const { context } = work;
  const { service, id } = step;
  const secret = new Map(service.spec.outputs.map((output) => [output.name, output.secret]));
  const records = [...outputs, ...defaultsFor(context, service, name, outputs)].map(
    ([output, value]): AttributeValue => ({
      serviceId: service.id,
      name: output,
      value,
      kind: "output",
      secret: secret.get(output) ?? false,
      step: name,
    }),
  );
  const events = [stepFinished(context, step, "exited", 0), stateEvent(context, service, next)];
  await publish(work, service, records, [
    ...also(service, [...outputs.keys()]),
    { kind: "step-ended", id, outcome: "exited", exitCode: 0 },
    { kind: "service", id: service.id, state: next },
    ...events.map((event): Change => ({ kind: "event", event: context.redactor.redactData(event) })),
  ]);
  for (const event of events) context.emit(event);
}

async function endOf(
  work: BringUp,
  { service }: Step,
  { step, program }: OutputProgram,
  { result, machine, log, lastLines }: ProgramEnd,
): Promise<StepEnd<void>> {
  const { context } = work;
  const details = { exitCode: result.kind === "exited" ? result.code : null, machine, log, lastLines };
  if (result.kind !== "exited" || result.code !== 0)
    throw serviceError(
      service,
      step,
      `the ${programWords(step, program)} failed: ${describeResult(result, whyEnded(context, step))}`,
      details,
      undefined,
      result.kind === "unknown",
    );
  const problem = outputProblem(work, service, step, result.outputs);
  if (problem !== null) throw problem(details);
  const promised = new Set(service.spec.outputs.map((output) => output.name));
  const extra = [...result.outputs.keys()].filter((name) => !promised.has(name));
  const more = extra.length > MOST_NAMED ? ` and ${extra.length - MOST_NAMED} more` : "";
  if (extra.length > 0)
    await warn(
      context,
      service,
      `the ${step} program set ${extra.slice(0, MOST_NAMED).join(", ")}${more}, which the plan does not declare under outputs: nothing can refer to it`,
    );
  return { value: undefined, outcome: RECORDED, exitCode: 0 };
}

/** Outputs that the last program which could set them has not set, with their defaults. */
function defaultsFor(
  context: BringUp["context"],
  service: Service,
  step: OutputProgram["step"],
  outputs: ReadonlyMap<string, string>,
): [string, string][] {
  if (step === "boot" && service.spec.execute) return [];
  const missing = new Set(unset(context, service).filter((name) => !outputs.has(name)));
  return service.spec.outputs.flatMap(({ name, default: value }): [string, string][] =>
    value !== undefined && missing.has(name) ? [[name, value]] : [],
  );
}

/** What is wrong with the outputs of a program that succeeded, or null. */
function outputProblem(
  { context }: BringUp,
  service: Service,
  step: OutputProgram["step"],
  outputs: ReadonlyMap<string, string>,
): ((details: FailureDetails) => ServiceError) | null {
  // A service with an execute program may set its outputs there.
  const optional = new Set(service.spec.outputs.flatMap((output) => (output.default === undefined ? [] : output.name)));
  const missing =
    step === "boot" && service.spec.execute
      ? []
      : unset(context, service).filter((name) => !outputs.has(name) && !optional.has(name));
  if (missing.length > 0) {
    const message = `the ${step} program did not set ${missing.map((name) => `"${name}"`).join(", ")}, promised under outputs`;
    return (details) =>
      serviceError(service, step, message, {
        ...details,
        remedy: 'let it write a line name=value to "$BOOTLEVEL_OUTPUT", or call: bl set name value',
      });
  }
  const taken = [...outputs.keys()].find(
    (name) => (BUILT_IN_ATTRIBUTES as readonly string[]).includes(name) || Object.hasOwn(service.spec.attributes, name),
  );
  if (taken === undefined) return null;
  const message = `the ${step} program set "${taken}", which every machine has or the plan declares under attributes`;
  return (details) => serviceError(service, step, message, { ...details, remedy: "give the output another name" });
}
