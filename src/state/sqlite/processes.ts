/** Whether the process that took a lease is still running. A pid alone is no proof, because pids are reused. */
import { readFileSync } from "node:fs";

/** Identifies the current boot of this computer. "" if the system does not provide it. */
export function uptimeId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return ""; // not Linux: the caller goes by the wall clock
  }
}

/** The start time of a process, in kernel ticks since boot. "" without /proc, or if the process does not exist. */
export function processStart(pid: number): string {
  return readStat(pid)?.start ?? "";
}

/** Whether the process that started at `start` (see `processStart`) is still alive on this computer. */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (start === "") return true;
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
