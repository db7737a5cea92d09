/** Is the process that wrote a lease still the one that runs? A pid alone is no proof: numbers are used again. */
import { readFileSync } from "node:fs";

/** Names this start of the computer; "" where the system does not tell. */
export function uptimeId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return ""; // not Linux: the caller goes by the wall clock
  }
}

/**
 * When the process began, in the kernel's ticks since boot; "" where the system does not tell (no /proc), or there is
 * no such process.
 */
export function processStart(pid: number): string {
  return readStat(pid)?.start ?? "";
}

/** Whether the process that started at `start` (see `processStart`) still lives on this computer. */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (start === "") return true;
  const stat = readStat(pid);
  // A zombie is dead: where nobody collects it, it keeps its number for ever.
  return stat !== null && stat.start === start && stat.state !== "Z" && stat.state !== "X";
}

/** Two fields of proc(5)'s stat: the state, the 3rd, and the start time, the 22nd. Null without /proc or process. */
function readStat(pid: number): { state: string; start: string } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null; // whatever the cause, the caller asks the kernel by signal 0
  }
  // The second field is the program's name in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", start: fields[19] ?? "" };
}
