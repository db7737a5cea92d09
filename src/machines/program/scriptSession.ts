/** Runs one script on one channel: sends it, reads its output and reports its verdict. */
import { randomBytes } from "node:crypto";
import type { Channel, ChannelEnd, MachineConnection } from "../contract/connection.js";
import { sendFile, type Attachment } from "./attachment.js";
import { dismissal } from "./scripts.js";
import { OutputReader } from "./outputReader.js";
import { VerdictReader, type EarlySignal, type Verdict } from "./verdict.js";
import type { OutputError } from "../contract/errors.js";
import type { ScriptContext } from "../shell/channelScript.js";
import { openShell } from "../shell/openShell.js";

/** How many characters before the script's own output are kept for messages. */
const LONGEST_WORDS = 1_000;

export type ScriptEnd =
  /** `words`: other output of the machine. */
  | {
      readonly kind: "verdict";
      readonly verdict: Verdict;
      readonly words: string;
      readonly error: OutputError | null;
      readonly dismiss: Dismiss | null;
    }
  /** The channel ended without a verdict. */
  | { readonly kind: "silent"; readonly end: ChannelEnd; readonly words: string };

/** Tells a script that waits after its verdict to remove the step's files. Resolves with the result of that. */
export type Dismiss = () => Promise<ScriptEnd>;

export interface ScriptOptions {
  /** Renders the script. */
  readonly script: (context: ScriptContext) => string;
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  /** The file that follows the script, or null. With a file, the script waits for a dismissal after its verdict. */
  readonly attachment: Attachment | null;
  readonly urgent: boolean;
  /** Aborted when the script is not to be sent any more. */
  readonly signal?: AbortSignal;
  onOutput(chunk: Buffer): void;
  /** Called when the program has started. */
  onBegin(): void;
  /** Called when the program sends its first `bl` request. `hangUp` tells it that nobody answers. */
  onCall?(hangUp: () => void): void;
  /** Called when a recovered program turns out to be running. */
  onAlive?(): void;
}

export interface ScriptSession {
  /** Rejects with `StagingError` when the attachment cannot be read. */
  readonly ended: Promise<ScriptEnd>;
  /** Closes the channel, unless the script was dismissed and closes it itself. */
  close(): void;
}

/** @throws ConnectionLostError when no channel can be opened. */
export async function openScriptSession(connection: MachineConnection, options: ScriptOptions): Promise<ScriptSession> {
  const nonce = randomBytes(12).toString("hex");
  const script = options.script({ directory: `${connection.workDirectory}/${options.directory}`, nonce });
  const channel = await openShell(connection, script, options);
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

/** Parses the machine's output: a verdict, and a second one from a dismissed script. */
function listen(
  channel: Channel,
  nonce: string,
  options: ScriptOptions,
): { readonly first: Promise<ScriptEnd>; readonly second: Promise<ScriptEnd> } {
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
  // Output before the begin mark is not the program's. It is kept for the message if nothing else follows.
  let before = "";
  const hangUp = (): void => {
    if (channel.stdin.writable) channel.stdin.write("\n");
  };
  const onSignal = (signal: EarlySignal): void => {
    if (signal === "call") options.onCall?.(hangUp);
    else options.onAlive?.();
  };
  const [first, second] = [new VerdictWait(nonce, onSignal), new VerdictWait(nonce)];
  // Wait for the end of the program's output too: stdout may be slower than stderr.
  const settle = (): void => {
    first.settleIf((verdict) => verdict.kind !== "done" || output.finished);
  };
  channel.stdout.on("data", (chunk: Buffer) => {
    if (!begun) before = (before + chunk.toString("utf8")).slice(0, LONGEST_WORDS);
    output.push(chunk);
    settle();
  });
  channel.stderr.on("data", (chunk: Buffer) => {
    if (first.hasVerdict) {
      second.reader.push(chunk);
      second.settleIf(() => true);
    } else {
      first.reader.push(chunk);
      settle();
    }
  });
  void channel.ended.then((end) => {
    for (const answer of [first, second]) answer.end(end, before);
  });
  return { first: first.ended, second: second.ended };
}

/** Waits for one verdict. */
class VerdictWait {
  readonly reader: VerdictReader;
  readonly ended: Promise<ScriptEnd>;
  #resolve: (end: ScriptEnd) => void = () => undefined;

  constructor(nonce: string, onSignal?: (signal: EarlySignal) => void) {
    this.reader = new VerdictReader(nonce, onSignal);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get hasVerdict(): boolean {
    return this.reader.verdict !== null;
  }

  settleIf(isWhole: (verdict: Verdict) => boolean): void {
    const { verdict, words, error } = this.reader;
    if (verdict !== null && isWhole(verdict)) this.#resolve({ kind: "verdict", verdict, words, error, dismiss: null });
  }

  /** The channel has ended: settles with what has arrived. */
  end(end: ChannelEnd, before: string): void {
    this.settleIf(() => true);
    this.#resolve({
      kind: "silent",
      end,
      words: [this.reader.words, before.trim()].filter((text) => text !== "").join(" "),
    });
  }
}

/** Never resolves: a complete upload does not end the dialogue. */
async function send(channel: Channel, script: string, attachment: Attachment | null): Promise<never> {
  // A script that ends early leaves its input unread (EPIPE). Its verdict or the channel's end gives the reason.
  channel.stdin.on("error", () => undefined);
  channel.stdin.write(script);
  if (attachment === null) channel.stdin.end();
  else await sendFile(channel, attachment);
  return new Promise(() => undefined);
}
