/** Finds out how a program ended that this launcher, or an earlier one, has lost the connection to. */
import { setTimeout as delay } from "node:timers/promises";
import pTimeout from "p-timeout";
import { isHostKeyError, isAuthenticationError, type MachineConnection } from "../contract/connection.js";
import { isStagingError } from "../contract/errors.js";
import type { MachineLink } from "../contract/link.js";
import { Interruptible } from "./interruptible.js";
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

/**
 * Asks until the machine answers or the program's time is over.
 * @param lost why the connection broke under the program; null if it did not
 */
export async function askMachine(
  link: MachineLink,
  request: StartedProgram,
  watch: Interruptible,
  lost: string | null = null,
): Promise<ScriptAnswer> {
  const outage = new Outage(request, lost);
  let silentExits = 0;
  for (;;) {
    const asked = await watch.race(askOnce(link, request, watch, outage)).catch((error: unknown) => error as Error);
    if (asked instanceof Error) {
      outage.reason = asked.message;
      if (isFinal(asked)) return outage.unreachable();
    } else if (asked.kind === "interrupted") {
      return asked.by === "timeout" && watch.unanswered ? outage.unreachable() : asked;
    } else {
      const { end, connection } = asked.value;
      if (end.kind === "verdict") return { kind: "value", value: end };
      // A shell that keeps ending without an answer will not answer the next time either.
      silentExits = end.end.kind === "exited" ? silentExits + 1 : 0;
      const loss = lossOf(end, connection);
      if (loss !== null) outage.begin(loss);
      outage.reason =
        end.end.kind === "lost"
          ? end.end.reason
          : `the query script ended with exit code ${String(end.end.code)}: ${end.words}`;
      if (silentExits >= MAX_SILENT_EXITS) return outage.unreachable();
    }
    if (request.leave?.aborted === true) return { ...outage.unreachable(), left: true };
    const pause = await watch.race(delay(ASK_AGAIN_MS, undefined, { signal: request.leave }).catch(() => undefined));
    if (pause.kind === "interrupted") return pause.by === "timeout" ? outage.unreachable() : pause;
  }
}

/** Why the connection under a session broke; null if it is still there, and only the session ended. */
export function lossOf(end: ScriptEnd, connection: MachineConnection): string | null {
  return end.kind === "silent" && end.end.kind === "lost" && !connection.alive ? end.end.reason : null;
}

function isFinal(error: Error): boolean {
  return isAuthenticationError(error) || isHostKeyError(error) || isStagingError(error);
}

/** The time without a connection, as the caller is told of it. */
class Outage {
  reason = "the connection was lost";
  /** When it began, by `performance.now`; null while there is none. */
  #since: number | null = null;

  constructor(
    private readonly request: StartedProgram,
    lost: string | null,
  ) {
    if (lost !== null) this.begin(lost);
  }

  begin(reason: string): void {
    this.reason = reason;
    if (this.#since !== null) return;
    this.#since = performance.now();
    this.request.onLost?.(reason);
  }

  end(): void {
    if (this.#since !== null) this.request.onRestored?.();
    this.#since = null;
  }

  unreachable(): ScriptAnswer & { readonly kind: "unreachable" } {
    if (this.#since === null) return { kind: "unreachable", reason: this.reason };
    const seconds = Math.round((performance.now() - this.#since) / 1000);
    return { kind: "unreachable", reason: `its machine has not answered for ${seconds} s (${this.reason})` };
  }
}

async function askOnce(
  link: MachineLink,
  request: StartedProgram,
  watch: Interruptible,
  outage: Outage,
): Promise<{ readonly end: ScriptEnd; readonly connection: MachineConnection }> {
  watch.unanswered = true;
  const connection = await unlessLeft(link.connection(), request.leave, outage);
  watch.unanswered = false;
  outage.end();
  request.relay.attend(connection, "anew");
  const end = await runSession(connection, watch, {
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
  return { end, connection };
}

/** @throws Error with the outage's reason when `leave` aborts first */
async function unlessLeft<T>(work: Promise<T>, leave: AbortSignal | undefined, outage: Outage): Promise<T> {
  if (leave === undefined) return work;
  return pTimeout(work, { milliseconds: Infinity, signal: leave }).catch((error: unknown) => {
    throw leave.aborted ? new Error(outage.reason) : error;
  });
}
