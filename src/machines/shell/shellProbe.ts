/**
 * What the login shell and its start-up files do to a command: whether they run it, leave its three streams alone, and
 * find the tools that programs need. It costs one exchange on a channel that is needed anyway.
 */
import type { Readable } from "node:stream";
import pTimeout from "p-timeout";
import type { Channel, ChannelEnd } from "../contract/connection.js";
import { GREETING, scriptReader } from "./channelScript.js";

/** Sent first, and sent back by the probe. A shell that takes it for a command does nothing. */
const TOKEN = "# bootlevel";
/** The tools without which no program can run. */
const TOOLS = ["dd", "tar", "mkdir", "mkfifo", "mv", "rm", "cat", "wc"];
/** How long a shell may take until its input is closed, in milliseconds: start-up files that read it go on then. */
const PATIENCE_MS = 5_000;
/** How long it may take after that, in milliseconds: start-up files may be slow on a loaded machine. */
const LAST_PATIENCE_MS = 60_000;
const KEPT = 8_192;
const LONGEST_WORDS = 300;

/** What came back. */
export interface ShellFinding {
  /** All that came on each output, start-up files' included. */
  readonly out: string;
  readonly err: string;
  /** How the channel ended; null if it did not. */
  readonly end: ChannelEnd | null;
  /** Whether its input was closed to make it answer. */
  readonly inputClosed: boolean;
}

/** As `channelCommand`; the shell repeats the token and names missing tools first. */
export function probeCommand(script: string): string {
  const tools = `m=; for t in ${TOOLS.join(" ")}; do command -v $t >/dev/null 2>&1 || m="$m $t"; done`;
  return `exec /bin/sh -c '${say("err", "")} >&2; read -r b; ${tools}; ${say("out", "$b:$m:$PATH")}; ${scriptReader(script)}'`;
}

/** A line that the command itself does not contain, since some shells print what they run. */
function say(stream: string, words: string): string {
  return `printf "\\n%s %s\\n" ${GREETING}-${stream} "${words}"`;
}

const ERR = `\n${GREETING}-err \n`;
const OUT = new RegExp(`\\n${GREETING}-out ([^\\n:]*):([^\\n:]*):([^\\n]*)\\n`);

/** Asks the shell of a channel that was opened with `probeCommand`. Leaves its outputs unread from there on. */
export async function probeShell(channel: Channel): Promise<ShellFinding> {
  channel.stdin.on("error", () => undefined); // the channel's end gives the reason
  channel.stdin.write(`${TOKEN}\n`);
  const [out, err] = [new Listening(channel.stdout), new Listening(channel.stderr)];
  let inputClosed = false;
  const answered = new Promise<null>((resolve) => {
    const look = (): void => {
      const joined = out.text.includes(ERR);
      if (joined || (OUT.test(out.text) && err.text.includes(ERR))) resolve(null);
    };
    out.onText = err.onText = look;
  });
  const settled = Promise.race([answered, channel.ended]);
  const late = (): Promise<ChannelEnd | null> => {
    inputClosed = true;
    channel.stdin.end();
    return pTimeout(settled, { milliseconds: LAST_PATIENCE_MS, fallback: () => null });
  };
  const end = await pTimeout(settled, { milliseconds: PATIENCE_MS, fallback: late });
  out.stop();
  err.stop();
  return { out: out.text, err: err.text, end, inputClosed };
}

/** Reads a stream by pieces, so that nobody else loses what follows. */
class Listening {
  text = "";
  onText: () => void = () => undefined;
  readonly #read = (): void => {
    for (let chunk = this.stream.read() as Buffer | null; chunk !== null; chunk = this.stream.read() as Buffer | null)
      this.text = (this.text + chunk.toString("utf8")).slice(-KEPT);
    this.onText();
  };

  constructor(private readonly stream: Readable) {
    stream.on("readable", this.#read);
  }

  stop(): void {
    this.stream.removeListener("readable", this.#read);
  }
}

/** What is wrong with the shell and what to do about it, in one sentence; null if programs can run. */
export function shellProblem({ out, err, end, inputClosed }: ShellFinding): string | null {
  const [answer, token = "", missing = "", path = ""] = OUT.exec(out) ?? [];
  const only = "; let them do that for interactive shells only (case $- in *i*) … esac)";
  if (out.includes(ERR))
    return `start-up files of its login shell join standard error and standard output (such as exec 2>&1 in ~/.bashrc), so bootlevel cannot tell results from output${only}`;
  if (answer === undefined) return unanswered({ out, err, end, inputClosed }, only);
  if (token !== TOKEN)
    return `start-up files of its login shell read standard input, which belongs to the programs${only}`;
  if (!err.includes(ERR))
    return `start-up files of its login shell redirect standard error, so results do not arrive${only}`;
  if (missing.trim() !== "")
    return `it has no ${missing.trim().split(" ").join(", ")} in ${path}; install what is missing, or set PATH in the start-up files of its login shell`;
  return null;
}

function unanswered({ out, err, end }: ShellFinding, only: string): string {
  const words = wordsOf(`${err.replace(ERR, "\n")}\n${out}`);
  const said = words === "" ? "" : ` It says: ${words}`;
  if (err.includes(ERR))
    return `start-up files of its login shell redirect standard output, so nothing of it arrives${only}`;
  if (end?.kind !== "exited")
    return `its login shell did not get to run a command within ${(PATIENCE_MS + LAST_PATIENCE_MS) / 1000} s: look at its start-up files (~/.bashrc or the like).${said}`;
  if (end.code === 0)
    return `its login shell ended without running the command: a start-up file replaces the shell (exec) or redirects its outputs${only}, or the account is bound to one command (ForceCommand).${said}`;
  return `its login shell runs no commands (exit code ${String(end.code)}); give the account one that does (chsh -s /bin/sh).${said}`;
}

function wordsOf(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, LONGEST_WORDS);
}
