/** One script on one channel: sends it, listens to it, and tells how it ended. */
import { createReadStream } from "node:fs";
import { randomBytes } from "node:crypto";
import type { Channel, ChannelEnd, MachineConnection } from "../connection.js";
import { channelCommand, type ScriptContext } from "./scripts.js";
import { OutputReader } from "./output.js";
import { VerdictReader, type Verdict } from "./verdict.js";
import { StagingError, type OutputError } from "./errors.js";

/** Characters of what a machine says before our script that are kept for a message. */
const LONGEST_WORDS = 1_000;

export type DialogueEnd =
  /** `words`: what the machine said beside the verdict. */
  | { readonly kind: "verdict"; readonly verdict: Verdict; readonly words: string; readonly error: OutputError | null }
  /** The channel ended and the script had not said what came of it. */
  | { readonly kind: "silent"; readonly end: ChannelEnd; readonly words: string };

export interface DialogueOptions {
  /** Makes the script that is sent. */
  readonly script: (context: ScriptContext) => string;
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  /** A file that follows the script, or null. */
  readonly attachment: string | null;
  readonly urgent: boolean;
  onOutput(chunk: Buffer): void;
  /** The program was started. */
  onBegin(): void;
}

export interface Dialogue {
  /** Rejects with `StagingError` when the attachment cannot be read. */
  readonly ended: Promise<DialogueEnd>;
  close(): void;
}

/** Throws `ConnectionLostError` when no channel can be opened. */
export async function openDialogue(connection: MachineConnection, options: DialogueOptions): Promise<Dialogue> {
  const nonce = randomBytes(12).toString("hex");
  const script = options.script({ directory: `${connection.workDirectory}/${options.directory}`, nonce });
  const channel = await connection.open(channelCommand(script), { urgent: options.urgent });
  const ended = listen(channel, nonce, options);
  const failed = send(channel, script, options.attachment);
  return { ended: Promise.race([ended, failed]).finally(() => { channel.close(); }), close: () => { channel.close(); } };
}

function listen(channel: Channel, nonce: string, options: DialogueOptions): Promise<DialogueEnd> {
  let begun = false;
  const output = new OutputReader(nonce, (chunk) => { options.onOutput(chunk); }, () => {
    begun = true;
    options.onBegin();
  });
  // What comes before the program is not its output; where nothing else comes, it is what the machine has to say.
  let before = "";
  const report = new VerdictReader(nonce);
  return new Promise((resolve) => {
    const look = (): void => {
      const { verdict } = report;
      // The result comes after the output's last byte, whichever of the two streams is faster.
      if (verdict === null || (verdict.kind === "done" && !output.finished)) return;
      resolve({ kind: "verdict", verdict, words: report.words, error: report.error });
    };
    channel.stdout.on("data", (chunk: Buffer) => {
      if (!begun) before = (before + chunk.toString("utf8")).slice(0, LONGEST_WORDS);
      output.push(chunk);
      look();
    });
    channel.stderr.on("data", (chunk: Buffer) => {
      report.push(chunk);
      look();
    });
    void channel.ended.then((end) => {
      const { verdict, words, error } = report;
      resolve(verdict === null ? { kind: "silent", end, words: [words, before.trim()].filter((text) => text !== "").join(" ") } : { kind: "verdict", verdict, words, error });
    });
  });
}

/** Never resolves: that all was sent says nothing. */
function send(channel: Channel, script: string, attachment: string | null): Promise<never> {
  // A script that ends early leaves its input unread (EPIPE). Why it ended is told by its verdict or by the channel's end.
  channel.stdin.on("error", () => undefined);
  channel.stdin.write(script);
  if (attachment === null) {
    channel.stdin.end();
    return new Promise(() => undefined);
  }
  const file = createReadStream(attachment, { highWaterMark: 262_144 });
  file.pipe(channel.stdin);
  void channel.ended.then(() => file.destroy());
  return new Promise((_, reject) => {
    file.on("error", (cause) => { reject(new StagingError(`cannot read ${attachment}: ${cause.message}`, { cause })); });
  });
}
