/** Verifies a service: retries its ready program until it passes or times out. */
import type { ReadySpec } from "../../plan/launchPlan/launchPlan.js";
import { InterruptedError, pause, serviceError, type ServiceError } from "../run/failure.js";
import { inStep, stepDirectory } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import {
  describeResult,
  programWords,
  runServiceProgram,
  whyEnded,
  type ProgramEnd,
} from "../programs/runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/**
 * @throws ServiceError when the ready program did not pass within its retries or its time.
 * @throws InterruptedError between attempts, when the operator stops the command or the run is aborted.
 */
export async function verify(context: RunContext, assignments: MachineAssignments, service: Service): Promise<void> {
  const ready = service.spec.ready;
  if (ready === null) return;
  const { clock } = context;
  const startedAt = clock.now();
  for (let attempt = 1; ; attempt += 1) {
    if (context.halt.aborted) throw new InterruptedError();
    const timeoutMs = Math.max(
      1,
      Math.min(ready.timeoutMs, attemptBudget(ready, attempt === 1 ? 0 : clock.now() - startedAt)),
    );
    const end = await tryOnce(context, assignments, service, ready, attempt, timeoutMs);
    if (end.result.kind === "exited" && end.result.code === 0) return;
    if (end.result.kind === "aborted" || isOver(ready, attempt, startedAt, clock.now()))
      throw notReady(context, service, end, attempt, clock.now() - startedAt);
    await pause(clock, ready.everyMs, context.halt);
  }
}

/**
 * The time limit of an attempt, in milliseconds: the rest of `ready: { timeout }`, which limits all attempts together,
 * or else the service's own timeout.
 */
function attemptBudget(ready: ReadySpec, elapsedMs: number): number {
  return ready.bounded ? ready.windowMs - elapsedMs : ready.timeoutMs;
}

function isOver(ready: ReadySpec, attempt: number, startedAt: number, now: number): boolean {
  if (ready.retries !== null && attempt > ready.retries) return true;
  return now + ready.everyMs - startedAt > ready.windowMs;
}

async function tryOnce(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  ready: ReadySpec,
  attempt: number,
  timeoutMs: number,
): Promise<ProgramEnd> {
  return inStep(context, service, "ready", attempt, assignments.machine(service)?.key ?? null, async (step) => {
    const directory = stepDirectory(service, "ready", step.id) as string;
    const value = await runServiceProgram(context, assignments, {
      service,
      step: "ready",
      program: ready,
      directory,
      timeoutMs,
      attempt,
    });
    return { value, outcome: value.result.kind, exitCode: value.result.kind === "exited" ? value.result.code : null };
  });
}

function notReady(context: RunContext, service: Service, end: ProgramEnd, attempts: number, ms: number): ServiceError {
  const tries = attempts === 1 ? "" : ` (${attempts} tries in ${(ms / 1000).toFixed(1)} s)`;
  const { machine, log, lastLines } = end;
  const exitCode = end.result.kind === "exited" ? end.result.code : null;
  return serviceError(
    service,
    "ready",
    `the ${programWords("ready", service.spec.ready as ReadySpec)} failed: ${describeResult(end.result, whyEnded(context, "ready"))}${tries}`,
    { exitCode, machine, log, lastLines },
  );
}
