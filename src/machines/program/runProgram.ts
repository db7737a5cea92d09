/** Runs one program on a machine and finds out for certain what came of it, whatever becomes of the connection. */
import { setTimeout as delay } from "node:timers/promises";
import {
  isAuthenticationError,
  isConnectionLostError,
  isHostKeyError,
  type MachineConnection,
} from "../contract/connection.js";
import type { MachineLink } from "../contract/link.js";
import { StagingError } from "../contract/errors.js";
import { openDialogue, type Dialogue, type DialogueEnd, type Dismiss } from "./dialogue.js";
import { parseOutputs } from "./outputs.js";
import {
  checkLimits,
  type ProgramRequest,
  type ProgramResult,
  type RecoverRequest,
  type RecoverResult,
} from "./request.js";
import { cleanUp, killStep } from "./endings.js";
import { recoverScript, runnerScript } from "./scripts.js";
import { RelayConnection } from "../coordination/relayConnection.js";
import { failure, lossReason } from "../shell/scriptFailures.js";
import { type RaceResult, Interruptible } from "./interruptible.js";

/** How often a step is staged anew when the connection broke before it began. */
const STAGINGS = 3;
const GAP = Buffer.from("[bootlevel: the connection broke; some output of that time may be missing here]\n");
/** Milliseconds between two attempts to ask a machine that cannot be asked. */
const ASK_AGAIN_MS = 1000;
const DEFAULT_GRACE_MS = 5000;

/** How often in a row a machine's shell may end without an answer before it is taken for one that never answers. */
const SHRUGS = 3;

/**
 * Stages the bundle and runs the program, once. Throws `StagingError` (it did not run), `ConnectionError` (the machine
 * could not be reached; it did not run) and `OutputError` (it ran, and its outputs are not readable).
 */
export async function runProgram(link: MachineLink, request: ProgramRequest): Promise<ProgramResult> {
  checkLimits(request);
  for (let staging = 1; staging <= STAGINGS; staging++) {
    const directory =
      staging === 1 ? request.directory : `${request.directory}-again${staging === 2 ? "" : `-${staging - 1}`}`;
    const result = await attempt(link, { ...request, directory });
    if (result.kind !== "never-started") return result;
  }
  throw new StagingError(
    `the connection broke ${STAGINGS} times before the program was on the machine; it did not run`,
  );
}

/**
 * Asks a machine what became of the step in `request.directory`: waits for its end, or makes sure that it never starts.
 * Never throws for a machine that cannot be asked: that is "unknown". Throws `OutputError`.
 */
export async function recoverProgram(link: MachineLink, request: RecoverRequest): Promise<RecoverResult> {
  const watch = new Interruptible(request.timeoutMs, request.signal);
  const step = { ...request, line: lineOf(request) };
  try {
    return await settle(link, step, watch, await ask(link, step, watch));
  } finally {
    watch.stop();
    await step.line.close();
  }
}

/** A program that was begun, and the line that it talks on. */
type Begun = RecoverRequest & { readonly line: RelayConnection };

function lineOf({ directory, coordination, onWarning }: RecoverRequest): RelayConnection {
  return new RelayConnection({
    directory,
    handler: coordination ?? null,
    onWarning: (message) => {
      onWarning?.(message);
    },
  });
}

async function attempt(link: MachineLink, request: ProgramRequest): Promise<RecoverResult> {
  if (request.signal.aborted) return { kind: "aborted" };
  const connection = await link.connection();
  const watch = new Interruptible(request.timeoutMs, request.signal);
  const step = { ...request, line: lineOf(request) };
  try {
    let begun = false;
    const first = await watch.race(
      stage(connection, step, watch, () => {
        begun = true;
      }),
    );
    if (first.kind === "interrupted") return await settle(link, step, watch, first);
    if (first.value.kind === "verdict") return await settle(link, step, watch, first);
    const silent = first.value;
    const asked = await ask(link, step, watch);
    const result = await settle(link, step, watch, asked);
    // The shell itself gave up before it began (no dd, no sh, an account without a shell): to try again would end the
    // same way.
    if ((result.kind === "never-started" || (result.kind === "unknown" && !begun)) && silent.end.kind === "exited")
      throw failure(connection.label, `exit code ${String(silent.end.code)}`, silent.words);
    return result;
  } finally {
    watch.stop();
    await step.line.close();
  }
}

async function stage(
  connection: MachineConnection,
  request: ProgramRequest & Begun,
  watch: Interruptible,
  onBegin: () => void,
): Promise<DialogueEnd> {
  return converse(connection, watch, {
    script: (context) => runnerScript(context, request),
    directory: request.directory,
    attachment: request.bundle,
    onOutput: (chunk) => {
      request.onOutput(chunk);
    },
    // The program's time counts from its start, not from the staging's.
    onBegin: () => {
      onBegin();
      watch.restart();
    },
    onCall: (hangUp) => {
      request.line.attend(connection, "take-over", hangUp);
    },
  });
}

/** A dialogue that the watch can end. A connection that is lost at once counts as a silent one. */
async function converse(
  connection: MachineConnection,
  watch: Interruptible,
  options: Omit<Parameters<typeof openDialogue>[1], "urgent">,
): Promise<DialogueEnd> {
  let dialogue: Dialogue;
  try {
    dialogue = await openDialogue(connection, { ...options, urgent: false });
  } catch (error) {
    if (!isConnectionLostError(error)) throw error;
    return { kind: "silent", end: { kind: "lost", reason: error.message }, words: "" };
  }
  watch.onStop(() => {
    dialogue.close();
  });
  return dialogue.ended;
}

type Answer =
  | { readonly kind: "value"; readonly value: DialogueEnd }
  | { readonly kind: "interrupted"; readonly by: "timeout" | "abort" }
  | { readonly kind: "unreachable"; readonly reason: string };

/** Asks until the machine answers or the program's time is over. */
async function ask(link: MachineLink, request: Begun, watch: Interruptible): Promise<Answer> {
  let reason = "the connection was lost";
  let shrugs = 0;
  for (;;) {
    let end: RaceResult<DialogueEnd> | null = null;
    try {
      end = await watch.race(askOnce(link, request, watch));
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      if (isAuthenticationError(error) || isHostKeyError(error)) return { kind: "unreachable", reason };
    }
    if (end !== null) {
      if (end.kind === "interrupted")
        return end.by === "timeout" && watch.unanswered ? { kind: "unreachable", reason } : end;
      if (end.value.kind === "verdict") return end;
      // A shell that ends without a word, again and again, will not answer the next time either.
      shrugs = end.value.end.kind === "exited" ? shrugs + 1 : 0;
      reason =
        end.value.end.kind === "lost"
          ? end.value.end.reason
          : `the question ended with exit code ${String(end.value.end.code)}: ${end.value.words}`;
      if (shrugs >= SHRUGS) return { kind: "unreachable", reason };
    }
    const pause = await watch.race(delay(ASK_AGAIN_MS));
    if (pause.kind === "interrupted") return pause.by === "timeout" ? { kind: "unreachable", reason } : pause;
  }
}

async function askOnce(link: MachineLink, request: Begun, watch: Interruptible): Promise<DialogueEnd> {
  watch.unanswered = true;
  const connection = await link.connection();
  watch.unanswered = false;
  request.line.attend(connection, "anew");
  return converse(connection, watch, {
    script: (context) => recoverScript(context, request.sudo),
    directory: request.directory,
    attachment: null,
    onOutput: (chunk) => {
      request.onOutput(chunk);
    },
    onAlive: () => {
      request.onAlive?.();
    },
    // What was on its way when the connection broke is nowhere any more.
    onBegin: () => {
      request.onOutput(GAP);
    },
  });
}

async function settle(link: MachineLink, request: Begun, watch: Interruptible, answer: Answer): Promise<RecoverResult> {
  if (answer.kind === "unreachable") return { kind: "unknown", reason: answer.reason };
  if (answer.kind === "interrupted") return interrupt(link, request, watch, answer.by);
  if (answer.value.kind === "silent") return { kind: "unknown", reason: "the machine did not answer" };
  const { verdict, words, error, dismiss } = answer.value;
  switch (verdict.kind) {
    case "fail": {
      // Somebody else's directory is left alone.
      if (verdict.why !== "claimed" && verdict.why !== "directory") cleanUp(link, { ...request, keep: false });
      const { label } = await link.connection();
      throw failure(label, verdict.why, words);
    }
    case "never":
      // The directory stays, for it holds the claim: without it, a runner that arrives late would start the program
      // after all.
      return { kind: "never-started" };
    case "done":
      return done(link, request, { ...verdict, error, dismiss });
    case "lost":
      await request.line.close();
      cleanUp(link, request);
      return { kind: "lost", reason: lossReason(verdict.why) };
    case "killed":
    case "removed":
      return { kind: "lost", reason: `the machine answered "${verdict.kind}" to another question` };
  }
}

interface Done {
  readonly code: number;
  readonly outputs: Buffer;
  readonly error: Error | null;
  readonly dismiss: Dismiss | null;
}

/** What the program left, where its relay works too, is removed when its result is written down, or cannot be used. */
async function done(
  link: MachineLink,
  request: Begun,
  { code, outputs, error, dismiss }: Done,
): Promise<ProgramResult> {
  const quiet = request.line.close();
  let result: ProgramResult & { kind: "exited" };
  try {
    if (error !== null) throw error;
    result = { kind: "exited", code, outputs: parseOutputs(outputs) };
  } catch (unusable) {
    await quiet;
    cleanUp(link, request, dismiss);
    throw unusable;
  }
  await request.onResult?.(result);
  await quiet;
  cleanUp(link, request, dismiss);
  return result;
}

/** Ends the program. A machine that cannot be told in time may go on running it: that is "unknown". */
async function interrupt(
  link: MachineLink,
  request: Begun,
  watch: Interruptible,
  by: "timeout" | "abort",
): Promise<ProgramResult> {
  const killed = await killStep(link, request, request.graceMs ?? DEFAULT_GRACE_MS);
  if (killed.kind === "unknown") return { kind: "unknown", reason: `the program could not be ended: ${killed.reason}` };
  await request.line.close();
  // A step that had not begun keeps its directory: the claim in it stops a runner that arrives late.
  if (killed.kind === "ended") cleanUp(link, request);
  return by === "abort" ? { kind: "aborted" } : { kind: "timed-out", afterMs: watch.elapsed() };
}
