/** What is done to a step from outside: ended, removed. Each goes over a short channel of its own. */
import type { MachineLink } from "../link.js";
import { openDialogue, type DialogueOptions } from "./dialogue.js";
import type { ProgramRequest } from "./request.js";
import { cleanupScript, killScript } from "./scripts.js";

type Step = Pick<ProgramRequest, "directory" | "sudo">;

/** Milliseconds that a machine has to answer, beside the grace. */
const ANSWER_MS = 15_000;

/** "ended": its processes are gone. "never": it had not begun, and never will. */
export type KillOutcome = { readonly kind: "ended" | "never" } | { readonly kind: "unknown"; readonly reason: string };

/** Ends the step's process group: TERM, and KILL after `graceMs` milliseconds. */
export async function killStep(link: MachineLink, step: Step, graceMs: number): Promise<KillOutcome> {
  const kill = (): Promise<Answer> => order(link, step.directory, graceMs + ANSWER_MS, true, (context) => killScript(context, graceMs, step.sudo));
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

/** Removes what the step left, without anybody waiting for it; `link.close` does. Tells `onWarning` what could not be removed. */
export function cleanUp(link: MachineLink, request: Step & Pick<ProgramRequest, "keep" | "onWarning">): void {
  const work = order(link, request.directory, ANSWER_MS, false, (context) => cleanupScript(context, !request.keep, request.sudo));
  link.finishLater(work.then(({ problem }) => {
    if (problem !== null) request.onWarning?.(`${request.directory} could not be cleaned up on the machine: ${problem}`);
  }));
}

/** Never rejects. */
async function order(link: MachineLink, directory: string, limitMs: number, urgent: boolean, script: DialogueOptions["script"]): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => { timer = setTimeout(() => { resolve(problem(`no answer within ${Math.round(limitMs / 1000)} s`)); }, limitMs); });
  const answer = carryOut(link, { script, directory, urgent, attachment: null, onOutput: () => undefined, onBegin: () => undefined });
  return Promise.race([answer.catch((error: unknown) => problem(error instanceof Error ? error.message : String(error))), late]).finally(() => { clearTimeout(timer); });
}

async function carryOut(link: MachineLink, options: DialogueOptions): Promise<Answer> {
  const dialogue = await openDialogue(await link.connection(), options);
  const end = await dialogue.ended;
  if (end.kind === "silent") return problem(end.end.kind === "lost" ? end.end.reason : `exit code ${String(end.end.code)} ${end.words}`);
  return end.verdict.kind === "fail" ? problem(end.words || end.verdict.why) : { problem: null, verdict: end.verdict.kind };
}

function problem(reason: string): Answer {
  return { problem: reason, verdict: "" };
}
