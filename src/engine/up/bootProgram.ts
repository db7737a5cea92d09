/** The boot program of a service: run once on a machine, or waited for when an earlier launcher has started it; then its outputs. */
import { ConnectionError } from "../../machines/connection.js";
import { BUILT_IN_ATTRIBUTES, type ProgramSpec } from "../../plan/launchPlan.js";
import type { Change } from "../../state/changes.js";
import type { AttributeRecord, StepRecord } from "../../state/records.js";
import type { Task } from "./agenda.js";
import { serviceError, type FailureDetails, type ServiceError } from "../run/failure.js";
import { finishStep, inStep, note, passState, RECORDED, stateEvent, stepDirectory, stepFinished, warn, type Step, type StepEnd } from "../run/journal.js";
import { describeResult, recoverServiceProgram, runServiceProgram, unset, type ProgramEnd, type ProgramRun } from "../programs/programs.js";
import { whyAgain } from "./execute.js";
import { publish } from "./publish.js";
import type { RunContext, Service } from "../run/runContext.js";
import type { BringUp } from "./serviceStory.js";
import { endUnfinished } from "../down/unfinished.js";

/** How long a program of before is waited for at least, in milliseconds. */
const LEAST_MS = 10_000;

/**
 * Runs the service's boot program, if it has one, and publishes what it has set.
 * @param booting whether the service is in state "booting" already.
 * @returns whether the service is in state "verifying" now, which is written together with the end of its boot program.
 * @throws ServiceError
 */
export async function bootOnMachine(work: BringUp, service: Service, task: Task, booting: boolean): Promise<boolean> {
  const { context, placements } = work;
  const program = service.spec.boot;
  if (program === null) return false;
  const machineKey = placements.machine(service)?.key ?? null;
  const begun = [{ kind: "due", id: service.id, due: null }] as const;
  if (booting) note(context, begun, []);
  else passState(context, service, "booting", begun);
  const steps = (work.unfinished.get(service.id) ?? []).filter((step) => step.step !== "setup" && (step.machineKey === machineKey || step.machineKey === null));
  const started = task.resume ? steps.findLast((step) => step.step === "boot") : undefined;
  await endUnfinished(context, placements, service, steps.filter((step) => step !== started));
  if (started !== undefined && (await resumeBoot(work, service, program, started))) {
    context.talk.ranBefore(service);
    return true;
  }
  if (context.book.outdate(service.name)) note(context, [{ kind: "stale-outputs", id: service.id }], []);
  await inStep(context, service, "boot", 1, machineKey, async (step) => {
    const end = await runServiceProgram(context, placements, bootRun(work, step, program, stepDirectory(service, "boot", step.id) as string, program.timeoutMs));
    return bootEnd(context, step, end);
  });
  return true;
}

/** Waits for the boot program of an earlier launcher. @returns false if it has to be started again. */
async function resumeBoot(work: BringUp, service: Service, program: ProgramSpec, { id, attempt, startedAt, directory }: StepRecord): Promise<boolean> {
  const { context, placements } = work;
  // A clock that was set between the two launchers must neither end the program at once nor wait for it longer than it may run.
  const left = Math.min(program.timeoutMs, Math.max(LEAST_MS, startedAt + program.timeoutMs - context.clock.now()));
  return finishStep(context, { id, service, name: "boot", attempt, startedAt }, async (step) => {
    const end = await recoverServiceProgram(context, placements, bootRun(work, step, program, directory as string, left)).catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      throw serviceError(service, "boot", `its boot program was started, and its machine does not answer: ${error.message}`, {}, error, true);
    });
    if (end === null) return { value: false, outcome: "never-started", exitCode: null };
    const again = whyAgain(end);
    if (again !== null) {
      await warn(context, service, `its boot program of before is run again: ${again}`);
      return { value: false, outcome: "lost", exitCode: null };
    }
    return { ...(await bootEnd(context, step, end)), value: true };
  });
}

/** @param directory where the program lies: of an earlier launcher's, it may bear a name that the service had then */
function bootRun(work: BringUp, step: Step, program: ProgramSpec, directory: string, timeoutMs: number): ProgramRun {
  const { service } = step;
  return {
    service, step: "boot", program, directory, timeoutMs, attempt: step.attempt,
    onResult: async ({ code, outputs }) => {
      if (code === 0 && outputProblem(work.context, service, outputs) === null) await recordBoot(work, step, outputs);
    },
  };
}

/** The end of the boot program, its outputs and the service's next state are one write: whatever dies, a boot is done or it is not. */
async function recordBoot(work: BringUp, step: Step, outputs: ReadonlyMap<string, string>): Promise<void> {
  const { context } = work;
  const { service } = step;
  const promised = new Map(service.spec.outputs.map((output) => [output.name, output.secret]));
  const records = [...outputs].map(([name, value]): AttributeRecord => ({ serviceId: service.id, name, value, kind: "output", secret: promised.get(name) ?? false }));
  const events = [stepFinished(context, step, "exited", 0), stateEvent(context, service, "verifying")];
  const also: Change[] = [
    { kind: "forget-outputs", id: service.id, except: [...outputs.keys()] },
    { kind: "step-ended", id: step.id, outcome: "exited", exitCode: 0 },
    { kind: "service", id: service.id, state: "verifying" },
    ...events.map((event): Change => ({ kind: "event", event: context.redactor.redactData(event) })),
  ];
  await publish(work, service, records, also);
  for (const event of events) context.tell(event);
}

async function bootEnd(context: RunContext, { service }: Step, { result, machine, log, lastLines }: ProgramEnd): Promise<StepEnd<void>> {
  const details = { exitCode: result.kind === "exited" ? result.code : null, machine, log, lastLines };
  if (result.kind !== "exited" || result.code !== 0) throw serviceError(service, "boot", `the boot program failed: ${describeResult(result, context.abort.current)}`, details, undefined, result.kind === "unknown");
  const problem = outputProblem(context, service, result.outputs);
  if (problem !== null) throw problem(details);
  const promised = new Set(service.spec.outputs.map((output) => output.name));
  const extra = [...result.outputs.keys()].filter((name) => !promised.has(name));
  if (extra.length > 0) await warn(context, service, `the boot program set ${extra.join(", ")}, which the plan does not declare under outputs: nothing can refer to it`);
  return { value: undefined, outcome: RECORDED, exitCode: 0 };
}

export function missingError(service: Service, step: "boot" | "execute", missing: readonly string[], details: FailureDetails): ServiceError {
  const message = `the ${step} program did not set ${missing.map((name) => `"${name}"`).join(", ")}, promised under outputs`;
  return serviceError(service, step, message, { ...details, remedy: 'let it write a line name=value to "$BOOTLEVEL_OUTPUT", or call: bl set name value' });
}

/** What is wrong with the outputs of a boot program that succeeded, or null. */
function outputProblem(context: RunContext, service: Service, outputs: ReadonlyMap<string, string>): ((details: FailureDetails) => ServiceError) | null {
  // A service that executes has until then.
  const missing = service.spec.execute ? [] : unset(context, service).filter((name) => !outputs.has(name));
  if (missing.length > 0) return (details) => missingError(service, "boot", missing, details);
  const taken = [...outputs.keys()].find((name) => (BUILT_IN_ATTRIBUTES as readonly string[]).includes(name) || Object.hasOwn(service.spec.attributes, name));
  if (taken === undefined) return null;
  const message = `the boot program set "${taken}", which every machine has or the plan declares under attributes`;
  return (details) => serviceError(service, "boot", message, { ...details, remedy: "give the output another name" });
}
