/** Is the process that wrote a lease still the one that runs? A pid alone is no proof: numbers are used again. */
import { readFileSync } from "node:fs";

/** When the process began, in the kernel's ticks since boot; "" where the system does not tell (no /proc) or there is no such process. */
export function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold anything; the start time is the 22nd field.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return ""; // no /proc, or no such process: the caller asks the kernel by signal 0
  }
}

/** Whether the process that started at `start` (see `processStart`) still lives on this computer. */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return start === "" || processStart(pid) === start;
}
