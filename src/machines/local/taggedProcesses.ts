/**
 * Finds and ends what runs on local machines, by the tag that every process of a machine carries: the limit of file
 * locks (Linux; see `localConnection.ts`) or BOOTLEVEL_MACHINE in its environment. A process may have left its session,
 * its group and its environment behind.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import pLimit from "p-limit";

export interface TaggedProcess {
  readonly pid: number;
  /**
   * Tells the process from a later one of the same number: ticks since the machine's start (Linux), or the start's
   * date.
   */
  readonly startTime: string;
}

/** Files of processes that are read at once: a computer may have more processes than this one may open files. */
const MOST_OPEN = 32;
/** Milliseconds between two scans. */
const SCAN_MS = 50;
/** Milliseconds that processes may take to die of KILL. */
const DEATH_MS = 5000;

/** The living processes of each tag; a tag without any is not in the map. This process is never among them. */
export async function findTagged(tags: ReadonlySet<string>): Promise<Map<string, TaggedProcess[]>> {
  const found = new Map<string, TaggedProcess[]>();
  const all = process.platform === "linux" ? scanProc(tags) : scanPs(tags);
  for (const { tag, ...one } of await all) found.set(tag, [...(found.get(tag) ?? []), one]);
  return found;
}

/**
 * Ends every process of these tags: TERM, and KILL after `graceMs` milliseconds, until two scans in a row find none
 * (a process may fork while it is looked for). Returns those that would not die.
 */
export async function killTagged(
  tags: ReadonlySet<string>,
  { graceMs }: { readonly graceMs: number },
): Promise<TaggedProcess[]> {
  const killAt = performance.now() + graceMs;
  const termed = new Set<string>();
  for (let empty = 0; empty < 2;) {
    const left = [...(await findTagged(tags)).values()].flat();
    empty = left.length === 0 ? empty + 1 : 0;
    if (left.length > 0 && performance.now() > killAt + DEATH_MS) return left;
    const signal = performance.now() >= killAt ? "SIGKILL" : "SIGTERM";
    for (const one of left) {
      const key = `${one.pid} ${one.startTime}`;
      if (signal === "SIGTERM" && termed.has(key)) continue;
      termed.add(key);
      await kill(one, signal);
    }
    if (empty < 2) await delay(SCAN_MS);
  }
  return [];
}

/** Signals the process if it is still the same one. */
async function kill(one: TaggedProcess, signal: NodeJS.Signals): Promise<void> {
  if ((await startTimeOf(one.pid)) !== one.startTime) return;
  try {
    process.kill(one.pid, signal);
  } catch (error) {
    // Gone meanwhile, or not ours to end: the next scan tells.
    if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

type Found = TaggedProcess & { readonly tag: string };

async function scanProc(tags: ReadonlySet<string>): Promise<Found[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const limit = pLimit(MOST_OPEN);
  const found = await limit.map(
    pids.filter((pid) => pid !== process.pid),
    (pid) => inspect(pid, tags),
  );
  return found.filter((one) => one !== null);
}

async function inspect(pid: number, tags: ReadonlySet<string>): Promise<Found | null> {
  const tag = (await tagByLimit(pid, tags)) ?? (await tagByEnvironment(pid, tags));
  const startTime = tag === null ? null : await startTimeOf(pid);
  return tag === null || startTime === null ? null : { tag, pid, startTime };
}

async function tagByLimit(pid: number, tags: ReadonlySet<string>): Promise<string | null> {
  const tag = /^Max file locks +([0-9]+) /m.exec(await readOfProcess(`/proc/${pid}/limits`))?.[1];
  return tag !== undefined && tags.has(tag) ? tag : null;
}

async function tagByEnvironment(pid: number, tags: ReadonlySet<string>): Promise<string | null> {
  const tag = /(?:^|\0)BOOTLEVEL_MACHINE=([^\0]*)/.exec(await readOfProcess(`/proc/${pid}/environ`))?.[1];
  return tag !== undefined && tags.has(tag) ? tag : null;
}

/** Null for a process that is gone or only waits to be buried (a zombie). */
async function startTimeOf(pid: number): Promise<string | null> {
  if (process.platform !== "linux") return psStartTime(pid);
  const stat = await readOfProcess(`/proc/${pid}/stat`);
  // The name in brackets may hold anything; the state follows the last bracket, the start time is the 22nd field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return stat === "" || fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
}

/** "" for a process that is gone or belongs to another user: neither is one of ours. */
async function readOfProcess(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return "";
    throw error;
  }
}

const run = promisify(execFile);

/** Without /proc the environment is all there is: `ps -E` shows it for one's own processes. */
async function scanPs(tags: ReadonlySet<string>): Promise<Found[]> {
  const { stdout } = await run("ps", ["-A", "-E", "-ww", "-o", "pid=,command="], { maxBuffer: 256 * 1024 * 1024 });
  const found: Found[] = [];
  for (const line of stdout.split("\n")) {
    const [, pid, tag] = /^ *([0-9]+) .* BOOTLEVEL_MACHINE=([0-9]+)(?: |$)/.exec(line) ?? [];
    if (pid === undefined || tag === undefined || !tags.has(tag) || Number(pid) === process.pid) continue;
    const startTime = await psStartTime(Number(pid));
    if (startTime !== null) found.push({ tag, pid: Number(pid), startTime });
  }
  return found;
}

async function psStartTime(pid: number): Promise<string | null> {
  try {
    const { stdout } = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)]);
    const [state = "", ...start] = stdout.trim().split(/ +/);
    return state === "" || state.startsWith("Z") ? null : start.join(" ");
  } catch (error) {
    // ps ends with 1 when there is no such process.
    if ((error as { code?: unknown }).code === 1) return null;
    throw error;
  }
}
