/** Runs one program on a machine exactly once and determines its result, even if the connection breaks. */
import type { MachineConnection } from "../contract/connection.js";
import { StagingError } from "../contract/errors.js";
import type { MachineLink } from "../contract/link.js";
import { failure } from "../shell/scriptFailures.js";
import { Interruptible } from "./interruptible.js";
import { askMachine, lossOf } from "./recoverProgram.js";
import { checkLimits, type ProgramRequest, type ProgramResult, type RecoverResult } from "./request.js";
import { runnerScript } from "./scripts.js";
import type { ScriptEnd } from "./scriptSession.js";
import { relayConnectionFor, runSession, settle, type StartedProgram } from "./settleProgram.js";

/** How often a step is staged when the connection breaks before the program starts. */
const STAGINGS = 3;

/**
 * Stages the bundle and runs the program once.
 * @throws StagingError (the program did not run), ConnectionError (the machine could not be reached, the program did
 *   not run), OutputError (the program ran, its outputs cannot be parsed).
 */
export async function runProgram(link: MachineLink, request: ProgramRequest): Promise<ProgramResult> {
  checkLimits(request);
  for (let staging = 1; staging <= STAGINGS; staging++) {
    const directory =
      staging === 1 ? request.directory : `${request.directory}-again${staging === 2 ? "" : `-${staging - 1}`}`;
    const result = await attempt(link, { ...request, directory });
    if (result.kind !== "never-started") return result;
  }
  throw new StagingError(`the connection broke ${STAGINGS} times before the program started; it did not run`);
}

async function attempt(link: MachineLink, request: ProgramRequest): Promise<RecoverResult> {
  if (request.signal.aborted) return { kind: "aborted" };
  const connection = await link.connection();
  const watch = new Interruptible(request.timeoutMs, request.signal);
  const step = { ...request, relay: relayConnectionFor(request) };
  try {
    let started = false;
    const first = await watch.race(
      stage(connection, step, watch, () => {
        started = true;
      }),
    );
    if (first.kind === "interrupted") return await settle(link, step, watch, first);
    if (first.value.kind === "verdict") return await settle(link, step, watch, first);
    const silent = first.value;
    const asked = await askMachine(link, step, watch, lossOf(silent, connection));
    const result = await settle(link, step, watch, asked);
    // The shell itself failed before the start (no dd, no sh, an account without a shell). A retry would fail the same
    // way.
    if ((result.kind === "never-started" || (result.kind === "unknown" && !started)) && silent.end.kind === "exited")
      throw failure(connection.label, `exit code ${String(silent.end.code)}`, silent.words);
    return result;
  } finally {
    watch.stop();
    await step.relay.close();
  }
}

async function stage(
  connection: MachineConnection,
  request: ProgramRequest & StartedProgram,
  watch: Interruptible,
  onBegin: () => void,
): Promise<ScriptEnd> {
  return runSession(connection, watch, {
    script: (context) => runnerScript(context, request),
    directory: request.directory,
    attachment: request.bundle,
    onOutput: (chunk) => {
      request.onOutput(chunk);
    },
    // The time limit counts from the program's start, without the staging.
    onBegin: () => {
      onBegin();
      watch.restart();
    },
    onCall: (hangUp) => {
      request.relay.attend(connection, "take-over", hangUp);
    },
  });
}
