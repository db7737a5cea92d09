/** Turns what a script reported about a program into the program's result, and then removes the step's files. */
import { type MachineConnection, isConnectionLostError } from "../contract/connection.js";
import type { MachineLink } from "../contract/link.js";
import { RelayConnection } from "../coordination/relayConnection.js";
import { failure, lossReason } from "../shell/scriptFailures.js";
import type { Interruptible } from "./interruptible.js";
import { cleanUp, killStep } from "./killAndCleanUp.js";
import { parseOutputs } from "./parseOutputs.js";
import type { ProgramResult, RecoverRequest, RecoverResult } from "./request.js";
import { openScriptSession, type Dismiss, type ScriptEnd, type ScriptSession } from "./scriptSession.js";

const DEFAULT_GRACE_MS = 5000;

/** A started program, and the connection for its `bl` requests. */
export type StartedProgram = RecoverRequest & { readonly relay: RelayConnection };

/** What came of a script: its end, an interruption, or a machine that cannot be asked. */
export type ScriptAnswer =
  | { readonly kind: "value"; readonly value: ScriptEnd }
  | { readonly kind: "interrupted"; readonly by: "timeout" | "abort" }
  | { readonly kind: "unreachable"; readonly reason: string; readonly left?: boolean };

export function relayConnectionFor({ directory, coordination, onWarning }: RecoverRequest): RelayConnection {
  return new RelayConnection({
    directory,
    handler: coordination ?? null,
    onWarning: (message) => {
      onWarning?.(message);
    },
  });
}

/** Runs a script in a session that `watch` can end. A connection that is lost at once counts as a silent end. */
export async function runSession(
  connection: MachineConnection,
  watch: Interruptible,
  options: Omit<Parameters<typeof openScriptSession>[1], "urgent">,
): Promise<ScriptEnd> {
  let dialogue: ScriptSession;
  const stopping = new AbortController();
  watch.onStop(() => {
    stopping.abort();
  });
  try {
    dialogue = await openScriptSession(connection, { ...options, urgent: false, signal: stopping.signal });
  } catch (error) {
    if (!isConnectionLostError(error)) throw error;
    return { kind: "silent", end: { kind: "lost", reason: error.message }, words: "" };
  }
  watch.onStop(() => {
    dialogue.close();
  });
  return dialogue.ended;
}

/** Determines a program's result from the answer. @throws StagingError when the program could not be started, OutputError */
export async function settle(
  link: MachineLink,
  request: StartedProgram,
  watch: Interruptible,
  answer: ScriptAnswer,
): Promise<RecoverResult> {
  if (answer.kind === "unreachable")
    return { kind: "unknown", reason: answer.reason, ...(answer.left === true ? { left: true } : {}) };
  if (answer.kind === "interrupted") return interrupt(link, request, watch, answer.by);
  if (answer.value.kind === "silent") return { kind: "unknown", reason: "the machine did not answer" };
  const { verdict, words, error, dismiss } = answer.value;
  switch (verdict.kind) {
    case "fail": {
      // The directory belongs to another launcher: leave it alone.
      if (verdict.why !== "claimed" && verdict.why !== "directory") {
        // Where sudo does not work, nothing of root's is there.
        const sudo = verdict.why === "sudo" || verdict.why === "no-sudo" ? false : request.sudo;
        cleanUp(link, { ...request, keep: false, sudo });
      }
      const { label } = await link.connection();
      throw failure(label, verdict.why, words);
    }
    case "never":
      // Keep the directory, since it holds the claim. Without it, a delayed runner script would still start the
      // program.
      return { kind: "never-started" };
    case "done":
      return finishExited(link, request, { ...verdict, error, dismiss });
    case "lost":
      await request.relay.close();
      cleanUp(link, request);
      return { kind: "lost", reason: lossReason(verdict.why) };
    case "killed":
    case "removed":
      return { kind: "lost", reason: `the machine sent the unexpected answer "${verdict.kind}"` };
  }
}

interface ExitVerdict {
  readonly code: number;
  readonly outputs: Buffer;
  readonly error: Error | null;
  readonly dismiss: Dismiss | null;
}

/** Keeps the step's files, which the relay uses too, until the result is recorded or turns out to be unusable. */
async function finishExited(
  link: MachineLink,
  request: StartedProgram,
  { code, outputs, error, dismiss }: ExitVerdict,
): Promise<ProgramResult> {
  const quiet = request.relay.close();
  let result: ProgramResult & { kind: "exited" };
  try {
    if (error !== null) throw error;
    result = { kind: "exited", code, outputs: parseOutputs(outputs) };
    request.checkOutputs?.(result.outputs);
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

/** Kills the program. If the machine cannot be reached in time, it may keep running: "unknown". */
async function interrupt(
  link: MachineLink,
  request: StartedProgram,
  watch: Interruptible,
  by: "timeout" | "abort",
): Promise<ProgramResult> {
  const killed = await killStep(link, request, request.graceMs ?? DEFAULT_GRACE_MS);
  if (killed.kind === "unknown")
    return { kind: "unknown", reason: `the program could not be stopped: ${killed.reason}` };
  await request.relay.close();
  // A step that had not started keeps its directory: the claim in it stops a delayed runner script.
  if (killed.kind === "ended") cleanUp(link, request);
  return by === "abort" ? { kind: "aborted" } : { kind: "timed-out", afterMs: watch.elapsed() };
}
