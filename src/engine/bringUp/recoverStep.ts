/**
 * Continues a step whose program an earlier launcher started: waits for it, and starts it again only if it had no
 * result.
 */
import { isConnectionError } from "../../machines/contract/connection.js";
import type { StepRecord } from "../../state/contract/records.js";
import type { ProgramRun } from "../programs/programRequest.js";
import { recoverServiceProgram, type ProgramEnd } from "../programs/runServiceProgram.js";
import { serviceError } from "../run/failure.js";
import { finishStep, warn, type Step, type StepEnd } from "../run/journal.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/** The minimum time to wait for such a program, in milliseconds. */
const LEAST_MS = 10_000;

/** The exit code of `bl` when no launcher answered it. */
const NO_LAUNCHER = 10;

export interface StepBefore {
  readonly service: Service;
  readonly step: "setup" | "boot" | "execute";
  /** For messages: `its boot program`. */
  readonly what: string;
  readonly before: StepRecord;
  /** The program's total time limit, in milliseconds. */
  readonly timeoutMs: number;
  readonly run: (step: Step, directory: string, timeoutMs: number) => ProgramRun;
  /** Interprets its end. @throws ServiceError */
  readonly ended: (step: Step, end: ProgramEnd) => Promise<StepEnd<void>>;
}

/**
 * Waits for a program of an earlier launcher.
 * @returns false if it must be started again.
 * @throws ServiceError
 */
export async function recoverStep(
  { context, assignments }: BringUp,
  { service, step: name, what, before, timeoutMs, run, ended }: StepBefore,
): Promise<boolean> {
  const { id, attempt, startedAt, directory } = before;
  // If the clock was set between the two launchers, the program must neither end at once nor exceed its time limit.
  const left = Math.min(timeoutMs, Math.max(LEAST_MS, startedAt + timeoutMs - context.clock.now()));
  return finishStep(context, { id, service, name, attempt, startedAt }, async (step): Promise<StepEnd<boolean>> => {
    const end = await recoverServiceProgram(
      context,
      assignments,
      trusting(context, run(step, directory as string, left)),
    ).catch((error: unknown) => {
      if (!isConnectionError(error)) throw error;
      throw serviceError(
        service,
        name,
        `${what} was started, and its machine does not answer: ${error.message}`,
        {},
        error,
        true,
      );
    });
    if (end === null) return { value: false, outcome: "never-started", exitCode: null };
    const again = whyAgain(end);
    if (again === null) return { ...(await ended(step, end)), value: true };
    await warn(context, service, `${what} from an earlier launcher is run again: ${again}`);
    return { value: false, outcome: "lost", exitCode: null };
  });
}

/**
 * The outputs of a boot or execute program become valid once it is known to run or to have succeeded. Until then it may
 * have to run again.
 */
function trusting({ attributes }: RunContext, run: ProgramRun): ProgramRun {
  if (run.step === "setup") return run;
  const trust = () => {
    attributes.trust(run.service.name);
  };
  return {
    ...run,
    onAlive: trust,
    onResult: async (result) => {
      if (whyAgain({ result }) === null) trust();
      await run.onResult?.(result);
    },
  };
}

/** Why a program of an earlier launcher must run again, or null. */
function whyAgain({ result }: Pick<ProgramEnd, "result">): string | null {
  if (result.kind === "lost") return `it was lost: ${result.reason}`;
  return result.kind === "exited" && result.code === NO_LAUNCHER
    ? `it ended because no launcher was there to answer it (exit code ${NO_LAUNCHER})`
    : null;
}
