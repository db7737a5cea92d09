/** Kills a step or removes its files. Each operation uses a short channel of its own. */
import pTimeout from "p-timeout";
import type { MachineLink } from "../contract/link.js";
import { openScriptSession, type ScriptEnd, type ScriptOptions, type Dismiss } from "./scriptSession.js";
import type { ProgramRequest } from "./request.js";
import { cleanupScript, killScript } from "./scripts.js";

type Step = Pick<ProgramRequest, "directory" | "sudo">;

/** Time limit for an answer in milliseconds, in addition to the grace period. */
const ANSWER_MS = 15_000;

/** "ended": its processes are gone. "never": it had not started and never will. */
export type KillOutcome = { readonly kind: "ended" | "never" } | { readonly kind: "unknown"; readonly reason: string };

/** Ends the step's process group: TERM, and KILL after `graceMs` milliseconds. */
export async function killStep(link: MachineLink, step: Step, graceMs: number): Promise<KillOutcome> {
  let connected = false;
  const noticing: MachineLink = {
    connection: async () => {
      const connection = await link.connection();
      connected = true;
      return connection;
    },
    finishLater: (work) => {
      link.finishLater(work);
    },
  };
  const kill = (): Promise<Answer> =>
    runScript(noticing, step.directory, graceMs + ANSWER_MS, true, (context) =>
      killScript(context, graceMs, step.sudo),
    );
  let answer = await kill();
  // Retry once over a new connection: a stalled connection may be why the program seemed to hang. A machine that
  // cannot be connected to would only be waited for twice.
  if (answer.problem !== null && connected) answer = await kill();
  if (answer.problem !== null) return { kind: "unknown", reason: answer.problem };
  return { kind: answer.verdict === "never" ? "never" : "ended" };
}

/** `problem` is null when the script succeeded. */
interface Answer {
  readonly problem: string | null;
  readonly verdict: string;
}

/**
 * Removes the step's files in the background; `link.close` waits for it. The step's own script removes them if it waits
 * for a dismissal; if there is none or it does not answer, a new channel is used. `onWarning` gets the reason when the
 * removal fails.
 */
export function cleanUp(
  link: MachineLink,
  request: Step & Pick<ProgramRequest, "keep" | "onWarning">,
  dismiss: Dismiss | null = null,
): void {
  link.finishLater(
    remove(link, request, dismiss).then(({ problem }) => {
      if (problem !== null)
        request.onWarning?.(`${request.directory} could not be cleaned up on the machine: ${problem}`);
    }),
  );
}

async function remove(
  link: MachineLink,
  { directory, keep, sudo }: Step & Pick<ProgramRequest, "keep">,
  dismiss: Dismiss | null,
): Promise<Answer> {
  const own = dismiss === null ? null : await withTimeout(dismiss().then(answerFrom), ANSWER_MS);
  if (own?.problem === null) return own;
  return runScript(link, directory, ANSWER_MS, false, (context) => cleanupScript(context, !keep, sudo));
}

function runScript(
  link: MachineLink,
  directory: string,
  limitMs: number,
  urgent: boolean,
  script: ScriptOptions["script"],
): Promise<Answer> {
  return withTimeout(
    openAndAwait(link, {
      script,
      directory,
      urgent,
      attachment: null,
      onOutput: () => undefined,
      onBegin: () => undefined,
    }),
    limitMs,
  );
}

/** Never rejects. */
function withTimeout(work: Promise<Answer>, limitMs: number): Promise<Answer> {
  return pTimeout(work, {
    milliseconds: limitMs,
    fallback: () => problem(`no answer within ${Math.round(limitMs / 1000)} s`),
  }).catch((error: unknown) => problem(error instanceof Error ? error.message : String(error)));
}

async function openAndAwait(link: MachineLink, options: ScriptOptions): Promise<Answer> {
  return answerFrom(await (await openScriptSession(await link.connection(), options)).ended);
}

function answerFrom(end: ScriptEnd): Answer {
  if (end.kind === "silent")
    return problem(end.end.kind === "lost" ? end.end.reason : `exit code ${String(end.end.code)} ${end.words}`);
  return end.verdict.kind === "fail"
    ? problem(end.words || end.verdict.why)
    : { problem: null, verdict: end.verdict.kind };
}

function problem(reason: string): Answer {
  return { problem: reason, verdict: "" };
}
