/** What is done to a step from outside: ended, removed. Each goes over a short channel of its own. */
import pTimeout from "p-timeout";
import type { MachineLink } from "../contract/link.js";
import { openDialogue, type DialogueEnd, type DialogueOptions, type Dismiss } from "./dialogue.js";
import type { ProgramRequest } from "./request.js";
import { cleanupScript, killScript } from "./scripts.js";

type Step = Pick<ProgramRequest, "directory" | "sudo">;

/** Milliseconds that a machine has to answer, beside the grace. */
const ANSWER_MS = 15_000;

/** "ended": its processes are gone. "never": it had not begun, and never will. */
export type KillOutcome = { readonly kind: "ended" | "never" } | { readonly kind: "unknown"; readonly reason: string };

/** Ends the step's process group: TERM, and KILL after `graceMs` milliseconds. */
export async function killStep(link: MachineLink, step: Step, graceMs: number): Promise<KillOutcome> {
  const kill = (): Promise<Answer> =>
    order(link, step.directory, graceMs + ANSWER_MS, true, (context) => killScript(context, graceMs, step.sudo));
  let answer = await kill();
  // One more attempt on a new connection: the old one may be what made the program look as if it hung.
  if (answer.problem !== null) answer = await kill();
  if (answer.problem !== null) return { kind: "unknown", reason: answer.problem };
  return { kind: answer.verdict === "never" ? "never" : "ended" };
}

/** `problem` is null when the script did what it was sent for. */
interface Answer {
  readonly problem: string | null;
  readonly verdict: string;
}

/**
 * Removes what the step left, without anybody waiting for it; `link.close` does. The step's own script does it if it
 * waits for that; else, or if it does not answer, a channel of its own. Tells `onWarning` what could not be removed.
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
  const own = dismiss === null ? null : await answerOf(dismiss().then(judge), ANSWER_MS);
  if (own?.problem === null) return own;
  return order(link, directory, ANSWER_MS, false, (context) => cleanupScript(context, !keep, sudo));
}

/** Never rejects. */
function order(
  link: MachineLink,
  directory: string,
  limitMs: number,
  urgent: boolean,
  script: DialogueOptions["script"],
): Promise<Answer> {
  return answerOf(
    carryOut(link, {
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
function answerOf(work: Promise<Answer>, limitMs: number): Promise<Answer> {
  return pTimeout(work, {
    milliseconds: limitMs,
    fallback: () => problem(`no answer within ${Math.round(limitMs / 1000)} s`),
  }).catch((error: unknown) => problem(error instanceof Error ? error.message : String(error)));
}

async function carryOut(link: MachineLink, options: DialogueOptions): Promise<Answer> {
  return judge(await (await openDialogue(await link.connection(), options)).ended);
}

function judge(end: DialogueEnd): Answer {
  if (end.kind === "silent")
    return problem(end.end.kind === "lost" ? end.end.reason : `exit code ${String(end.end.code)} ${end.words}`);
  return end.verdict.kind === "fail"
    ? problem(end.words || end.verdict.why)
    : { problem: null, verdict: end.verdict.kind };
}

function problem(reason: string): Answer {
  return { problem: reason, verdict: "" };
}
