/**
 * Whether the process that took a lease is still running. A pid alone is no proof: pids are reused, and each container
 * has its own. So a process is only looked for where its pid means the same.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Identifies where pids mean the same as for this process: the boot of the computer, and the PID namespace. "" if that
 * cannot be told.
 */
export function pidSpace(): string {
  if (process.platform !== "linux") return hostname(); // without PID namespaces
  const [boot, namespace] = [bootId(), readLink("/proc/self/ns/pid")];
  return boot === "" || namespace === "" ? "" : `${boot} ${namespace}`;
}

/** Identifies what the time since boot counts from. "" if the system does not tell: the caller uses the wall clock. */
export function uptimeId(): string {
  const boot = bootId();
  return boot === "" ? "" : `${boot} ${readLink("/proc/self/ns/time")}`;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return ""; // not Linux, or /proc is not there
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // an old kernel, or /proc is not there
  }
}

/** The start time of a process, in kernel ticks since boot. "" without /proc, or if the process does not exist. */
export function processStart(pid: number): string {
  return isProcOwn() ? (readStat(pid)?.start ?? "") : "";
}

/** A new PID namespace may still have the /proc of the one outside, with other processes under the same numbers. */
function isProcOwn(): boolean {
  return readLink("/proc/self") === String(process.pid);
}

/** Whether the process that started at `start` (see `processStart`) is still alive. Only for a pid of this `pidSpace`. */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (start === "" || !isProcOwn()) return true;
  const stat = readStat(pid);
  // A zombie is dead. It keeps its pid until its parent collects it.
  return stat !== null && stat.start === start && stat.state !== "Z" && stat.state !== "X";
}

/**
 * Two fields of proc(5)'s stat: the state (3rd) and the start time (22nd). Null without /proc, or if there is no such
 * process.
 */
function readStat(pid: number): { state: string; start: string } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null; // whatever the cause, the caller asks the kernel by signal 0
  }
  // The second field is the program's name in parentheses, which may contain any character.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", start: fields[19] ?? "" };
}
