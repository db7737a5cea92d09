/** Finds out how a program ended that this launcher, or an earlier one, has lost the connection to. */
import { setTimeout as delay } from "node:timers/promises";
import { isHostKeyError, isAuthenticationError } from "../contract/connection.js";
import { isStagingError } from "../contract/errors.js";
import type { MachineLink } from "../contract/link.js";
import { Interruptible, type RaceResult } from "./interruptible.js";
import type { RecoverRequest, RecoverResult } from "./request.js";
import { recoverScript } from "./scripts.js";
import type { ScriptEnd } from "./scriptSession.js";
import { relayConnectionFor, runSession, settle, type ScriptAnswer, type StartedProgram } from "./settleProgram.js";

const GAP_NOTICE = Buffer.from("[bootlevel: the connection broke; some output of that time may be missing here]\n");
/** Milliseconds between two attempts to reach a machine. */
const ASK_AGAIN_MS = 1000;
/** After this many silent exits in a row, the machine's shell counts as unable to answer. */
const MAX_SILENT_EXITS = 3;

/**
 * Finds out how the step in `request.directory` ended: waits for its end, or makes sure that it never starts. A machine
 * that cannot be asked is not an error; the result is "unknown".
 * @throws OutputError
 */
export async function recoverProgram(link: MachineLink, request: RecoverRequest): Promise<RecoverResult> {
  const watch = new Interruptible(request.timeoutMs, request.signal);
  const step = { ...request, relay: relayConnectionFor(request) };
  try {
    return await settle(link, step, watch, await askMachine(link, step, watch));
  } finally {
    watch.stop();
    await step.relay.close();
  }
}

/** Asks until the machine answers or the program's time is over. */
export async function askMachine(
  link: MachineLink,
  request: StartedProgram,
  watch: Interruptible,
): Promise<ScriptAnswer> {
  let reason = "the connection was lost";
  let silentExits = 0;
  for (;;) {
    let end: RaceResult<ScriptEnd> | null = null;
    try {
      end = await watch.race(askOnce(link, request, watch));
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      if (isAuthenticationError(error) || isHostKeyError(error) || isStagingError(error))
        return { kind: "unreachable", reason };
    }
    if (end !== null) {
      if (end.kind === "interrupted")
        return end.by === "timeout" && watch.unanswered ? { kind: "unreachable", reason } : end;
      if (end.value.kind === "verdict") return end;
      // A shell that keeps ending without an answer will not answer the next time either.
      silentExits = end.value.end.kind === "exited" ? silentExits + 1 : 0;
      reason =
        end.value.end.kind === "lost"
          ? end.value.end.reason
          : `the query script ended with exit code ${String(end.value.end.code)}: ${end.value.words}`;
      if (silentExits >= MAX_SILENT_EXITS) return { kind: "unreachable", reason };
    }
    const pause = await watch.race(delay(ASK_AGAIN_MS));
    if (pause.kind === "interrupted") return pause.by === "timeout" ? { kind: "unreachable", reason } : pause;
  }
}

async function askOnce(link: MachineLink, request: StartedProgram, watch: Interruptible): Promise<ScriptEnd> {
  watch.unanswered = true;
  const connection = await link.connection();
  watch.unanswered = false;
  request.relay.attend(connection, "anew");
  return runSession(connection, watch, {
    script: (context) => recoverScript(context, request.sudo),
    directory: request.directory,
    attachment: null,
    onOutput: (chunk) => {
      request.onOutput(chunk);
    },
    onAlive: () => {
      request.onAlive?.();
    },
    // Output that was in transit when the connection broke is lost.
    onBegin: () => {
      request.onOutput(GAP_NOTICE);
    },
  });
}
