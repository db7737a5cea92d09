/** One script on one channel: sends it, listens to it, and tells how it ended. */
import { randomBytes } from "node:crypto";
import type { Channel, ChannelEnd, MachineConnection } from "../contract/connection.js";
import { sendFile, type Attachment } from "./attachment.js";
import { dismissal } from "./scripts.js";
import { OutputReader } from "./output.js";
import { VerdictReader, type EarlySignal, type Verdict } from "./verdict.js";
import type { OutputError } from "../contract/errors.js";
import { channelCommand, type ScriptContext } from "../shell/channelScript.js";

/** Characters of what a machine says before our script that are kept for a message. */
const LONGEST_WORDS = 1_000;

export type DialogueEnd =
  /** `words`: what the machine said beside the verdict. */
  | {
      readonly kind: "verdict";
      readonly verdict: Verdict;
      readonly words: string;
      readonly error: OutputError | null;
      readonly dismiss: Dismiss | null;
    }
  /** The channel ended and the script had not said what came of it. */
  | { readonly kind: "silent"; readonly end: ChannelEnd; readonly words: string };

/** Lets a script that has waited after its verdict remove what the step left; how that ended. */
export type Dismiss = () => Promise<DialogueEnd>;

export interface DialogueOptions {
  /** Makes the script that is sent. */
  readonly script: (context: ScriptContext) => string;
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  /** A file of so many bytes that follows the script, or null. After one, the script waits to be dismissed. */
  readonly attachment: Attachment | null;
  readonly urgent: boolean;
  onOutput(chunk: Buffer): void;
  /** The program was started. */
  onBegin(): void;
  /** The program wants to talk; `hangUp` tells it that nobody answers. */
  onCall?(hangUp: () => void): void;
  /** The program that was asked about runs still. */
  onAlive?(): void;
}

export interface Dialogue {
  /** Rejects with `StagingError` when the attachment cannot be read. */
  readonly ended: Promise<DialogueEnd>;
  /** Lets go of the machine, unless its script was dismissed: that closes by itself. */
  close(): void;
}

/** Throws `ConnectionLostError` when no channel can be opened. */
export async function openDialogue(connection: MachineConnection, options: DialogueOptions): Promise<Dialogue> {
  const nonce = randomBytes(12).toString("hex");
  const script = options.script({ directory: `${connection.workDirectory}/${options.directory}`, nonce });
  const channel = await connection.open(channelCommand(script), { urgent: options.urgent });
  const waits = options.attachment !== null;
  let dismissed = false;
  const close = (): void => {
    if (!dismissed) channel.close();
  };
  const answers = listen(channel, nonce, options);
  const dismiss: Dismiss = () => {
    dismissed = true;
    channel.stdin.end(`\n${dismissal(nonce)}\n`);
    return answers.second.finally(() => {
      channel.close();
    });
  };
  const first = answers.first.then((end) => (waits && end.kind === "verdict" ? { ...end, dismiss } : end));
  const ended = Promise.race([first, send(channel, script, options.attachment)]);
  return { ended: waits ? ended : ended.finally(close), close };
}

/** What comes from the machine: a verdict, and another one from a script that was dismissed. */
function listen(
  channel: Channel,
  nonce: string,
  options: DialogueOptions,
): { readonly first: Promise<DialogueEnd>; readonly second: Promise<DialogueEnd> } {
  let begun = false;
  const output = new OutputReader(
    nonce,
    (chunk) => {
      options.onOutput(chunk);
    },
    () => {
      begun = true;
      options.onBegin();
    },
  );
  // What comes before the program is not its output; where nothing else comes, it is what the machine has to say.
  let before = "";
  const hangUp = (): void => {
    if (channel.stdin.writable) channel.stdin.write("\n");
  };
  const onNews = (news: EarlySignal): void => {
    if (news === "call") options.onCall?.(hangUp);
    else options.onAlive?.();
  };
  const [first, second] = [new Answer(nonce, onNews), new Answer(nonce)];
  // The result comes after the output's last byte, whichever of the two streams is faster.
  const look = (): void => {
    first.look((verdict) => verdict.kind !== "done" || output.finished);
  };
  channel.stdout.on("data", (chunk: Buffer) => {
    if (!begun) before = (before + chunk.toString("utf8")).slice(0, LONGEST_WORDS);
    output.push(chunk);
    look();
  });
  channel.stderr.on("data", (chunk: Buffer) => {
    if (first.told) {
      second.report.push(chunk);
      second.look(() => true);
    } else {
      first.report.push(chunk);
      look();
    }
  });
  void channel.ended.then((end) => {
    for (const answer of [first, second]) answer.end(end, before);
  });
  return { first: first.ended, second: second.ended };
}

/** One verdict that is waited for. */
class Answer {
  readonly report: VerdictReader;
  readonly ended: Promise<DialogueEnd>;
  #resolve: (end: DialogueEnd) => void = () => undefined;

  constructor(nonce: string, onNews?: (news: EarlySignal) => void) {
    this.report = new VerdictReader(nonce, onNews);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get told(): boolean {
    return this.report.verdict !== null;
  }

  look(isWhole: (verdict: Verdict) => boolean): void {
    const { verdict, words, error } = this.report;
    if (verdict !== null && isWhole(verdict)) this.#resolve({ kind: "verdict", verdict, words, error, dismiss: null });
  }

  /** Nothing comes any more: what was told is all. */
  end(end: ChannelEnd, before: string): void {
    this.look(() => true);
    this.#resolve({
      kind: "silent",
      end,
      words: [this.report.words, before.trim()].filter((text) => text !== "").join(" "),
    });
  }
}

/** Never resolves: that all was sent says nothing. */
async function send(channel: Channel, script: string, attachment: Attachment | null): Promise<never> {
  // A script that ends early leaves its input unread (EPIPE). Why it ended is told by its verdict or by the channel's
  // end.
  channel.stdin.on("error", () => undefined);
  channel.stdin.write(script);
  if (attachment === null) channel.stdin.end();
  else await sendFile(channel, attachment);
  return new Promise(() => undefined);
}
