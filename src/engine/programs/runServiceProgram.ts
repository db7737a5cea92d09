/** Runs one program of a service: resolves its references, writes its log, and returns its result. */
import { basename } from "node:path";

import type { StepName } from "../../model/events.js";
import { ConnectionError } from "../../machines/contract/connection.js";
import { OutputError } from "../../machines/contract/errors.js";
import type { ProgramRequest, ProgramResult } from "../../machines/program/request.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { ProgramStep } from "./bundles.js";
import { openLogFile } from "./logFile.js";
import { coordination, endedBy, resolveProgram, staging, TIDIES_UP, unset, type ProgramRun } from "./programRequest.js";
import { outputsTooLarge } from "../attributes/outputLimits.js";
import { InterruptedError, isInterruptedError, unlessAborted } from "../run/failure.js";
import { abortWords } from "../run/abort.js";
import { hostUser } from "./hostUse.js";
import { isNoMachineError, type MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { StepLog } from "./stepLog.js";
import type { Service } from "../run/service.js";

export interface ProgramEnd {
  readonly result: ProgramResult;
  readonly ms: number;
  /** The machine's name in messages. */
  readonly machine: string;
  readonly log: string | null;
  readonly lastLines: readonly string[];
}

/**
 * Runs a program on the service's machine (or on the launcher) and waits for its end. It takes one of the run's program
 * slots only after the machine is connected: an unreachable machine must not block other programs.
 * @throws ConnectionError, StagingError, OutputError, UnresolvedError: the program did not run, or its result is
 *   unusable.
 */
export async function runServiceProgram(
  context: RunContext,
  assignments: MachineAssignments,
  run: ProgramRun,
): Promise<ProgramEnd> {
  const programs = assignments.runner(run.service, run.program);
  const label = await unlessAborted(context.stop, unlessAborted(endedBy(context, run), programs.reach()));
  const user = run.program.where === "launcher" ? undefined : await hostUser(context, assignments, run.service);
  return inPlace(context, (giveBack) =>
    inLog(context, run, label, `${run.step} attempt ${run.attempt}`, async (hooks) => {
      const request = { ...resolveProgram(context, run), hostUser: user };
      return programs.run({ ...request, ...coordination(context, run, giveBack), ...hooks });
    }),
  );
}

/**
 * Does `work` in a program slot. `giveBack` frees the slot before the work ends: a program that waits for another one
 * must not block it. The slot is not taken again.
 */
function inPlace<T>(context: RunContext, work: (giveBack: () => void) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    void context.programSlots(
      () =>
        new Promise<void>((giveBack) => {
          void work(giveBack).then(resolve, reject).finally(giveBack);
        }),
    );
  });
}

/**
 * Waits for the end of a program that an earlier launcher started. `timeoutMs` is the time that it has left.
 * @returns null if it never started and never will.
 * @throws ConnectionError when its machine does not answer; StagingError, OutputError as for a new program.
 */
export async function recoverServiceProgram(
  context: RunContext,
  assignments: MachineAssignments,
  run: ProgramRun,
): Promise<ProgramEnd | null> {
  const programs = assignments.runner(run.service, run.program);
  const reached = unlessAborted(context.stop, unlessAborted(endedBy(context, run), programs.reach()));
  const label = await reached.catch((error: unknown) => {
    // The program may still run: the next command checks.
    if (!isInterruptedError(error)) throw error;
    throw context.stop.aborted
      ? new InterruptedError(true)
      : new ConnectionError("the run was aborted before the machine answered");
  });
  return inPlace(context, async (giveBack) => {
    let started = true;
    const end = await inLog(context, run, label, `${run.step} from an earlier launcher`, async (hooks) => {
      const recovered = await programs.recover({
        ...staging(context, run),
        ...coordination(context, run, giveBack),
        ...hooks,
        onAlive: () => run.onAlive?.(),
      });
      if (recovered.kind !== "never-started") return recovered;
      started = false;
      return { kind: "lost", reason: "it had not been started" };
    });
    return started ? end : null;
  });
}

type Hooks = Pick<
  ProgramRequest,
  "onOutput" | "onWarning" | "checkOutputs" | "onResult" | "onLost" | "onRestored" | "leave"
>;

async function inLog(
  context: RunContext,
  run: ProgramRun,
  label: string,
  what: string,
  work: (hooks: Hooks) => Promise<ProgramResult>,
): Promise<ProgramEnd> {
  const { clock } = context;
  const log = await openLog(context, run);
  const startedAt = clock.now();
  try {
    log.note(`${what} on ${label}`);
    const ended = await runAndLog(context, run, label, log, work);
    // The operator stopped the command while the machine did not answer: the next command finds the program.
    if (ended.kind === "unknown" && ended.left === true) throw new InterruptedError(true);
    // Ending a program takes time too. Report the limit that the operator set, not the total time.
    const result = ended.kind === "timed-out" ? { ...ended, afterMs: run.timeoutMs } : ended;
    const ms = clock.now() - startedAt;
    log.note(`${describeResult(result, whyEnded(context, run.step))} after ${ms} ms`);
    return { result, ms, machine: label, log: logPath(context, run.service, run.step), lastLines: log.lastLines() };
  } finally {
    await log.close();
  }
}

/** Whether the service has a machine that its link can reach. Optional steps are skipped otherwise. */
export function hasMachine(assignments: MachineAssignments, service: Service): boolean {
  try {
    assignments.access(service);
    return true;
  } catch (error) {
    if (isNoMachineError(error)) return false;
    throw error;
  }
}

/** The location of the log of a service and step, for people; null if nothing is recorded. */
export function logPath(context: RunContext, service: Service, step: StepName): string | null {
  if (context.writer === null) return null;
  return context.store.files.logs.location(context.run.uid, { service: service.name, step });
}

/** Why a step's programs are ended early, for people; null if nothing ends them. */
export function whyEnded(context: RunContext, step: ProgramStep): string | null {
  if (TIDIES_UP.has(step))
    return context.cleanupExpired?.aborted === true ? (context.cleanupExpired.reason as Error).message : null;
  return context.abort.current === null ? null : abortWords(context.abort.current);
}

/** For messages: `boot program install.sh`; without a name for a line of the shell. */
export function programWords(step: ProgramStep, { run }: Pick<ProgramSpec, "run">): string {
  switch (run.kind) {
    case "command":
      return `${step} program`;
    case "folder":
      return `${step} program ${basename(run.path)}/run.sh`;
    case "file":
    case "archive":
      return `${step} program ${basename(run.path)}`;
  }
}

/** A program's result, for people. @param why the result of `whyEnded` */
export function describeResult(result: ProgramResult, why: string | null = null): string {
  switch (result.kind) {
    case "exited":
      return `exit code ${result.code}`;
    case "timed-out":
      return `ran longer than its time limit of ${result.afterMs / 1000} s and was ended`;
    case "aborted":
      return why === null ? "was ended on request" : `was ended, since ${why}`;
    case "lost":
      return `vanished without an exit code: ${result.reason}`;
    case "unknown":
      return `has an unknown end: ${result.reason}`;
  }
}

async function openLog(context: RunContext, { service, step }: ProgramRun): Promise<StepLog> {
  return new StepLog({
    writer: await openLogFile(context, service, step),
    redactor: context.redactor,
    hold: context.writer !== null && secretOutputs(service).length > 0,
    onText: (text) => context.emit({ at: context.clock.now(), type: "output", service: service.name, step, text }),
  });
}

async function runAndLog(
  context: RunContext,
  run: ProgramRun,
  label: string,
  log: StepLog,
  work: (hooks: Hooks) => Promise<ProgramResult>,
): Promise<ProgramResult> {
  let known = false;
  try {
    return await work({
      onOutput: (chunk) => log.push(chunk),
      onWarning: (message) =>
        context.emit({ at: context.clock.now(), type: "warning", service: run.service.name, message }),
      checkOutputs: (outputs) => {
        // Outputs of other steps are discarded.
        if (run.step === "boot" || run.step === "execute") checkSizes(context, run.service, outputs);
      },
      onResult: async (result) => {
        known = true;
        learnSecrets(context, run.service, result.outputs);
        await run.onResult?.(result);
      },
      onLost: (reason) => {
        log.note(`lost the connection to ${label}: ${context.redactor.redact(reason)}`);
        context.outages.lost(label, run.service.name, reason);
      },
      onRestored: () => {
        log.note(`connected to ${label} again`);
        context.outages.restored(label);
      },
      leave: context.stop,
    });
  } finally {
    context.outages.gaveUp(label, run.service.name);
    if (!known && !knowsSecrets(context, run)) log.discard();
    log.finish();
  }
}

/** @throws OutputError */
function checkSizes(context: RunContext, service: Service, outputs: ReadonlyMap<string, string>): void {
  const problem = outputsTooLarge(service.spec, context.attributes.of(context.current(service).name), outputs);
  if (problem !== null) throw new OutputError(problem, 0);
}

function learnSecrets(context: RunContext, service: Service, outputs: ReadonlyMap<string, string>): void {
  context.redactor.add(secretOutputs(service).map((name) => outputs.get(name) ?? ""));
}

/** The service's outputs that are declared secret. Any of its programs may set them with `bl set`, after printing them. */
function secretOutputs({ spec }: Service): string[] {
  return spec.outputs.filter((output) => output.secret).map((output) => output.name);
}

/**
 * Whether a program that ended without a result cannot have printed an unknown secret: its service's secret outputs are
 * set, and it is not one that sets them.
 */
function knowsSecrets(context: RunContext, { service, step }: ProgramRun): boolean {
  const missing = unset(context, service);
  return step !== "boot" && step !== "execute" && !secretOutputs(service).some((name) => missing.includes(name));
}
