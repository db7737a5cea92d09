/**
 * This computer as a machine: channels are child processes in sessions of their own, marked with a tag that no
 * descendant can lose.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { exists } from "../../files/exists.js";
import { isSystemError } from "../../files/storageFailure.js";
import type { Channel, ChannelEnd, MachineConnection } from "../contract/connection.js";
import { ConnectionError, ConnectionLostError } from "../contract/connection.js";
import { StagingError } from "../contract/errors.js";

export interface LocalShells {
  /** Absolute path; shells start in it. */
  readonly directory: string;
  /** Absolute path under which step directories lie. */
  readonly workDirectory: string;
  /** The whole environment: nothing of the launcher's own is added. */
  readonly env: Readonly<Record<string, string>>;
  /** A decimal number of at most 16 digits; see `taggedProcesses.ts`. */
  readonly tag: string;
}

/** Throws `RangeError` for a tag that is not a decimal number. */
export function openLocal(machine: LocalShells): MachineConnection {
  if (!/^[1-9][0-9]{0,15}$/.test(machine.tag)) throw new RangeError(`not a tag: ${JSON.stringify(machine.tag)}`);
  const open = new Set<Channel>();
  let alive = true;
  return {
    label: machine.directory,
    workDirectory: machine.workDirectory,
    get alive() {
      return alive;
    },
    async open(command) {
      if (!alive) throw new ConnectionLostError(`the connection to ${machine.directory} was closed`);
      const channel = await startShell(machine, command);
      open.add(channel);
      void channel.ended.then(() => open.delete(channel));
      return channel;
    },
    async attach(command, terminalType) {
      if (!alive) throw new ConnectionLostError(`the connection to ${machine.directory} was closed`);
      return attachShell(machine, command, terminalType);
    },
    async close() {
      alive = false;
      for (const channel of open) channel.close();
    },
  };
}

/**
 * RLIMIT_LOCKS has meant nothing to Linux since 2.4.25, and every process inherits it through fork, exec, setsid and
 * `env -i`: so its value is a mark. bash calls it -x, dash -w; other shells get it from prlimit.
 */
function tagging(tag: string): string {
  return `ulimit -x ${tag} 2>/dev/null || ulimit -w ${tag} 2>/dev/null || prlimit --pid $$ --locks=${tag}:${tag} 2>/dev/null`;
}

/** Final: whoever asks again would ask for as long as the program may run. */
function checkDirectory({ directory }: LocalShells): void {
  if (!exists(directory)) throw new ConnectionError(`the machine's directory ${directory} is gone`);
}

async function startShell(machine: LocalShells, command: string): Promise<Channel> {
  checkDirectory(machine);
  const child = spawnShell(machine, `${tagging(machine.tag)}; ${command}`, {
    env: { ...machine.env },
    // A session of its own: Ctrl-C in the launcher's terminal must not reach it.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  await started(child, machine.directory);
  return channelOf(child);
}

/** In the launcher's own session, so that its terminal is the shell's. */
async function attachShell(machine: LocalShells, command: string, terminalType: string): Promise<number> {
  checkDirectory(machine);
  const child = spawnShell(machine, command, { env: { ...machine.env, TERM: terminalType }, stdio: "inherit" });
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code, signal) => {
      resolve(code ?? (signal === null ? 255 : 128 + 15));
    });
  });
  await started(child, machine.directory);
  return ended;
}

function started(child: ChildProcess, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => {
      reject(notStarted(directory, cause));
    });
  });
}

/** @throws StagingError if this computer cannot start a process. */
function spawnShell({ directory }: LocalShells, command: string, options: SpawnOptions): ChildProcess {
  try {
    return spawn("/bin/sh", ["-c", command], { ...options, cwd: directory });
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw notStarted(directory, cause);
  }
}

/** A directory that went away meanwhile is a lost machine. Otherwise this computer has reached a limit of its own. */
function notStarted(directory: string, cause: Error): Error {
  const message = `cannot start a shell in ${directory}: ${cause.message}`;
  if (isSystemError(cause) && cause.code === "ENOENT") return new ConnectionLostError(message, { cause });
  const remedy = "end other programs here, or raise the limits of processes and files (ulimit -u, ulimit -n)";
  return new StagingError(message, { cause, remedy });
}

function channelOf(child: ChildProcess): Channel {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null)
    throw new ConnectionLostError("the shell has no standard streams");
  let letGo: (end: ChannelEnd) => void = () => undefined;
  const closed = new Promise<ChannelEnd>((resolve) => {
    letGo = resolve;
  });
  const exited = new Promise<ChannelEnd>((resolve) => {
    // "close" comes after both outputs have ended, so nothing is cut off.
    child.once("close", (code) => {
      resolve({ kind: "exited", code });
    });
  });
  return {
    stdin,
    stdout,
    stderr,
    ended: Promise.race([exited, closed]),
    close() {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      // A runner that waits for a program must not keep the launcher's process alive.
      child.unref();
      letGo({ kind: "lost", reason: "the channel was closed" });
    },
  };
}
