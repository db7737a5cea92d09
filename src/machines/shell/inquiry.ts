/**
 * Short questions to a machine's shell: a script goes over one channel, marked lines come back. What must survive a
 * broken connection is no such question.
 */
import { randomBytes } from "node:crypto";
import pTimeout, { TimeoutError } from "p-timeout";
import {
  ConnectionError,
  ConnectionLostError,
  type ChannelEnd,
  type MachineConnection,
} from "../contract/connection.js";
import { channelCommand } from "./channelScript.js";

export interface InquiryOptions {
  /** Milliseconds until it is given up. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export interface InquiryAnswer {
  /** Lines that the script said by `say`, in order. */
  readonly said: readonly string[];
  /** What else the machine printed, for messages. */
  readonly words: string;
}

const LONGEST_ANSWER = 262_144;
const LONGEST_WORDS = 600;

/**
 * Runs a script of POSIX sh that ends by itself.
 * @param script is given the shell function `say`, which marks a line as an answer.
 * @throws ConnectionLostError when the connection breaks before the script has ended; ConnectionError when it takes too
 *   long.
 */
export async function inquire(
  connection: MachineConnection,
  script: (say: string) => string,
  options: InquiryOptions,
): Promise<InquiryAnswer> {
  const mark = `bl-${randomBytes(12).toString("hex")} `;
  const text = `{\n${script(`say() { printf '${mark}%s\\n' "$*"; }`)}\n}\n`;
  const channel = await connection.open(channelCommand(text));
  let printed = "";
  for (const stream of [channel.stdout, channel.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      if (printed.length < LONGEST_ANSWER) printed += chunk.toString("utf8");
    });
  }
  channel.stdin.on("error", () => undefined); // why it ended is told by the channel's end
  channel.stdin.end(text);
  try {
    const end = await within(channel.ended, connection.label, options);
    if (end.kind === "lost") throw new ConnectionLostError(`${connection.label}: ${end.reason}`);
  } finally {
    channel.close();
  }
  const lines = printed.split("\n");
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
  { limitMs, signal }: InquiryOptions,
): Promise<ChannelEnd> {
  try {
    return await pTimeout(ended, { milliseconds: limitMs, signal });
  } catch (error) {
    const late = error instanceof TimeoutError;
    throw new ConnectionError(`${label}: ${late ? `no answer within ${limitMs / 1000} s` : "given up"}`);
  }
}
