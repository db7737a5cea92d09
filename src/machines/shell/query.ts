/**
 * Runs a short query in a machine's shell. A script goes over one channel, marked lines come back. A query does not
 * survive a lost connection.
 */
import { randomBytes } from "node:crypto";
import pTimeout, { TimeoutError } from "p-timeout";
import {
  ConnectionError,
  ConnectionLostError,
  type ChannelEnd,
  type MachineConnection,
} from "../contract/connection.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import { afterGreeting } from "./channelScript.js";
import { openShell } from "./openShell.js";

export interface QueryOptions {
  /** Timeout in milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export interface QueryAnswer {
  /** Lines that the script printed with `say`, in order. */
  readonly said: readonly string[];
  /** Everything else that the machine printed, for messages. */
  readonly words: string;
}

const LONGEST_ANSWER = 262_144;
const LONGEST_WORDS = 600;

/**
 * Runs a POSIX sh script that ends by itself.
 * @param script gets the shell function `say`, which marks a line as an answer.
 * @throws ConnectionLostError when the connection breaks before the script has ended; ConnectionError on a timeout or
 *   an abort.
 */
export async function runQuery(
  connection: MachineConnection,
  script: (say: string) => string,
  options: QueryOptions,
): Promise<QueryAnswer> {
  const mark = `bl-${randomBytes(12).toString("hex")} `;
  const text = `{\n${script(`say() { printf '${mark}%s\\n' "$*"; }`)}\n}\n`;
  const over = AbortSignal.any([
    options.signal,
    AbortSignal.timeout(Math.min(Math.ceil(options.limitMs), LONGEST_TIMER_MS)),
  ]);
  const channel = await openShell(connection, text, { signal: over }).catch((error: unknown) => {
    throw over.aborted ? late(connection.label, options) : error;
  });
  const printed = ["", ""];
  [channel.stdout, channel.stderr].forEach((stream, index) => {
    stream.on("data", (chunk: Buffer) => {
      const before = printed[index] ?? "";
      if (before.length < LONGEST_ANSWER) printed[index] = before + chunk.toString("utf8");
    });
  });
  channel.stdin.on("error", () => undefined); // the channel's end gives the reason
  channel.stdin.end(text);
  try {
    const end = await within(channel.ended, connection.label, options);
    if (end.kind === "lost") throw new ConnectionLostError(`${connection.label}: ${end.reason}`);
  } finally {
    channel.close();
  }
  const lines = printed.flatMap((text) => afterGreeting(text).split("\n"));
  const said = lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
  const words = lines
    .filter((line) => !line.startsWith(mark))
    .join(" ")
    .replace(/\s+/g, " ")
    .trim();
  return { said, words: words.slice(0, LONGEST_WORDS) };
}

/** @throws ConnectionError when the limit is over or the signal aborts first */
async function within(
  ended: Promise<ChannelEnd>,
  label: string,
  { limitMs, signal }: QueryOptions,
): Promise<ChannelEnd> {
  try {
    return await pTimeout(ended, { milliseconds: limitMs, signal });
  } catch (error) {
    throw error instanceof TimeoutError || signal.aborted ? late(label, { limitMs, signal }) : error;
  }
}

function late(label: string, { limitMs, signal }: QueryOptions): ConnectionError {
  return new ConnectionError(`${label}: ${signal.aborted ? "cancelled" : `no answer within ${limitMs / 1000} s`}`);
}
