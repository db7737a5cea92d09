/**
 * What a run could leave behind: bytes in files, words in process lists, processes with a tag, runtime directories in
 * memory.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Every regular file below a directory. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The files below `directory` that contain one of `needles`, byte for byte. */
export function filesWith(directory: string, needles: readonly string[]): string[] {
  return filesBelow(directory).filter((file) => {
    const bytes = readFileSync(file);
    return needles.some((needle) => bytes.includes(needle));
  });
}

/** Command lines of living processes that contain one of `needles`: what `ps` shows to everybody. */
export function argumentsWith(needles: readonly string[]): string[] {
  return pids()
    .map((pid) => readProc(pid, "cmdline"))
    .filter((line) => needles.some((needle) => line.includes(needle)));
}

/** Processes that work below a directory, or name it in their environment or their command line. */
export function processesAt(directory: string): number[] {
  return pids().filter(
    (pid) => pid !== process.pid && ["environ", "cmdline"].some((file) => readProc(pid, file).includes(directory)),
  );
}

/** Runtime directories in memory that belong to steps below `directory`: each of them names its step. */
export function memoryDirectories(): Set<string> {
  return new Set(
    readdirSync("/dev/shm")
      .filter((name) => name.startsWith("bl."))
      .filter((name) => statSync(join("/dev/shm", name), { throwIfNoEntry: false }) !== undefined),
  );
}

function pids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}
