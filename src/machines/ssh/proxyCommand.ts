/** Reaches a machine through a program that carries the connection on its standard input and output. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import type { Environment } from "../../model/environment.js";
import { ConnectionError } from "../contract/connection.js";

/** The values that the words of a command may name. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The machine's id in its cloud; null for a host. */
  readonly machineId?: string | null;
}

/** Most bytes of standard error that are kept for a message. */
const MOST_STDERR = 4_096;
/** How long the program may take to end after its connection, in milliseconds. */
const GRACE_MS = 2_000;

/** How long an error waits for the program's own words, in milliseconds. */
const LAST_WORDS_MS = 500;

/** A connection through a program. */
export interface ProxyStream {
  readonly stream: Duplex;
  /** An error of the connection, with the program's end and what it wrote to standard error. */
  readonly explain: (error: Error) => Promise<Error>;
}

/**
 * The program's words with `%h` (host), `%p` (port), `%r` (user), `%i` (the machine's id) and `%%` replaced. The values
 * are data: each word stays one argument.
 */
export function proxyWords(words: readonly string[], { host, port, user, machineId }: ProxyTarget): string[] {
  const values: Readonly<Record<string, string>> = {
    h: host,
    p: String(port),
    r: user,
    i: machineId ?? host,
    "%": "%",
  };
  return words.map((word) => word.replace(/%([hpri%])/g, (all, name: string) => values[name] ?? all));
}

/**
 * Starts the program, without a shell. It is killed, with its children, when the stream closes or the signal aborts.
 * @throws ConnectionError if it cannot be started.
 */
export function openProxy(words: readonly string[], env: Environment, signal: AbortSignal): Promise<ProxyStream> {
  const [program = "", ...rest] = words;
  return new Promise((resolve, reject) => {
    // A process group of its own: the program's children end with it, and Ctrl-C at the terminal does not end it first.
    const child = spawn(program, rest, { stdio: "pipe", env: { ...env }, detached: true });
    let stderr = "";
    let end: string | null = null;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-MOST_STDERR);
    });
    const ended = new Promise<void>((resolve) => {
      child.once("close", () => {
        resolve();
      });
    });
    const explain = async (error: Error): Promise<Error> => {
      // A program that has closed its output is about to end, and to say why.
      await Promise.race([ended, delay(LAST_WORDS_MS)]);
      const said = stderr.trim().split("\n").slice(-3).join(" ").trim();
      if (end === null && said === "") return error;
      const words = end === null ? `${error.message} (proxy_command ${program}: ${said})` : "";
      const how = [`proxy_command ${program} ${end ?? ""}`, said].filter((part) => part !== "").join(": ");
      return new ConnectionError(words === "" ? how : words, { cause: error });
    };
    child.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "it was not found" : error.message;
      reject(new ConnectionError(`proxy_command ${program} cannot be started: ${why}`, { cause: error }));
    });
    child.once("spawn", () => {
      const stream = new ProgramStream(child);
      const stop = (): void => {
        signal.removeEventListener("abort", abort);
        endGroup(child.pid, () => child.exitCode !== null || child.signalCode !== null);
      };
      const abort = (): void => {
        stream.destroy(new ConnectionError("cancelled"));
      };
      // The gap until the handshake listens, and writes to a program that has ended.
      stream.on("error", () => undefined);
      child.stdin.on("error", () => undefined);
      // The launcher ends its side first; the program may not notice.
      stream.once("finish", stop).once("close", stop);
      child.once("exit", (code, by) => {
        end = code === null ? `was ended by ${by ?? "a signal"}` : `ended with exit code ${code}`;
        // What it has printed is read first.
        child.stdout.once("close", () => stream.destroy());
      });
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      resolve({ stream, explain });
    });
  });
}

/** A program's standard input and output as one stream. */
class ProgramStream extends Duplex {
  constructor(private readonly child: ChildProcessWithoutNullStreams) {
    super();
    child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stdout.once("end", () => this.push(null));
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.child.stdin.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.child.stdin.end(done);
  }
}

/** Ends the program's process group: it is asked first. */
function endGroup(pid: number | undefined, isOver: () => boolean): void {
  if (pid === undefined) return;
  kill(pid, "SIGTERM");
  const timer = setTimeout(() => {
    if (!isOver()) kill(pid, "SIGKILL");
  }, GRACE_MS);
  timer.unref();
}

function kill(pid: number, how: NodeJS.Signals): void {
  try {
    process.kill(-pid, how);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
