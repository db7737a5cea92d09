/** Programs whose end is unknown: their launcher died while they ran. */
import type { StepRecord } from "../../state/contract/records.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import { programOf, type ProgramStep } from "./bundles.js";
import { unlessAborted } from "../run/failure.js";
import { warn, writerOf } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { hasMachine } from "./runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { settleAll } from "../run/settleAll.js";

/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;

/** The unfinished steps by service number, oldest first. */
export function unfinishedPrograms(steps: readonly StepRecord[]): Map<number, StepRecord[]> {
  const unfinished = new Map<number, StepRecord[]>();
  for (const step of steps) {
    if (step.endedAt !== null || step.directory === null) continue;
    const known = unfinished.get(step.serviceId);
    if (known) known.push(step);
    else unfinished.set(step.serviceId, [step]);
  }
  return unfinished;
}

/** Ends the unfinished programs of all services, in parallel. */
export async function endAllUnfinished(context: RunContext, assignments: MachineAssignments): Promise<void> {
  const unfinished = unfinishedPrograms(await context.store.steps(context.run));
  await settleAll(
    context.levels
      .flat()
      .map((service) => endUnfinished(context, assignments, service, unfinished.get(service.id) ?? [])),
  );
}

/**
 * Ends unfinished programs of a service: nothing may run beside a new program, or on a host that is given back. A
 * program that may still run is reported as a warning.
 * @throws InterruptedError when the operator stops the command.
 */
export async function endUnfinished(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  steps: readonly StepRecord[],
): Promise<void> {
  if (steps.length === 0 || !hasMachine(assignments, service)) return;
  const onWarning = (message: string) =>
    context.emit({ at: context.clock.now(), type: "warning", service: service.name, message });
  for (const begun of steps) {
    const { id, step, directory } = begun;
    const program = begunProgram(service, begun);
    if (program === null || directory === null) continue;
    const ended = assignments.runner(service, program).recover({
      directory,
      timeoutMs: GRACE_MS,
      graceMs: GRACE_MS,
      sudo: program.sudo,
      keep: step !== "report",
      onOutput: () => undefined,
      onWarning,
      signal: AbortSignal.abort(),
    });
    const end = await unlessAborted(context.stop, ended);
    if (end.kind === "unknown")
      await warn(context, service, `its ${step} program from an earlier launcher may still run: ${end.reason}`);
    else await writerOf(context).write({ kind: "step-ended", id, outcome: "ended", exitCode: null });
  }
}

/**
 * The program of a step, or null. For a setup step that is no longer in the plan, a similar setup program, to get the
 * same sudo and machine.
 */
export function begunProgram({ spec }: Service, { step, content, attempt }: StepRecord): ProgramSpec | null {
  if (step !== "setup") return programOf(spec, step as Exclude<ProgramStep, "setup">);
  const setups = spec.setup;
  return (setups.find((setup) => setup.content === content) ?? setups[attempt - 1] ?? setups[0])?.program ?? null;
}
