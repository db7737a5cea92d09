/** The logs of a run: one file a service and step, read as they are or followed while they grow. */
import { appendFileSync, createReadStream, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { RunRecord } from "../../state/contract/records.js";
import type { Home } from "../../state/files/home.js";
import type { RecordWatch, Store } from "../../state/contract/store.js";

export interface LogFile {
  readonly service: string;
  readonly step: string;
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
}

export interface LogChunk extends LogFile {
  readonly text: string;
}

/** How often followed files are looked at, in milliseconds. */
const FOLLOW_MS = 200;
/** How often, in milliseconds, it is asked whether the launcher still lives, where the record tells no change. */
const ALIVE_MS = 1_000;
const STEP_ORDER = ["prepare", "setup", "boot", "ready", "execute", "report", "terminate"];

/** The run's log files, services in the plan's order; of one service (or all replicas of one) if `service` is given. */
export async function listLogs(store: Store, run: RunRecord, service: string | null): Promise<LogFile[]> {
  const directory = join(store.home.runDirectory(run.uid), "logs");
  const present = new Set(readNames(directory));
  const services = (await store.services(run)).filter(
    (record) => service === null || record.name === service || record.spec === service,
  );
  return services.flatMap(({ name }) =>
    STEP_ORDER.filter((step) => present.has(`${name}.${step}.log`)).map((step) => {
      const path = join(directory, `${name}.${step}.log`);
      return { service: name, step, path, bytes: statSync(path).size };
    }),
  );
}

/**
 * The text of the logs, then, if `follow`, what is added while the run is worked on or until `signal` aborts.
 * Chunks of one file come in order.
 */
export async function* readLogs(
  store: Store,
  run: RunRecord,
  options: { service: string | null; follow: boolean; signal: AbortSignal },
): AsyncGenerator<LogChunk> {
  const offsets = new Map<string, number>();
  const work = options.follow ? await WatchedWork.open(store, run) : null;
  try {
    for (;;) {
      // Asked before the files are read: what was written until then is shown even if the launcher has just ended.
      const working = work !== null && !options.signal.aborted && (await work.goesOn());
      for (const file of await listLogs(store, run, options.service)) {
        const from = offsets.get(file.path) ?? 0;
        if (file.bytes <= from) continue;
        offsets.set(file.path, file.bytes);
        yield* readRange(file, from);
      }
      if (!working) return;
      await sleep(FOLLOW_MS);
    }
  } finally {
    work?.close();
  }
}

/** Whether a launcher works on a run: asked of the record when it changes, and now and then, for one that dies. */
class WatchedWork {
  private watch: RecordWatch | null = null;
  private working = false;
  private askedAt = Number.NEGATIVE_INFINITY;

  private constructor(
    private readonly store: Store,
    private readonly run: RunRecord,
  ) {}

  static async open(store: Store, run: RunRecord): Promise<WatchedWork> {
    const work = new WatchedWork(store, run);
    const askAgain = () => {
      work.askedAt = Number.NEGATIVE_INFINITY;
    };
    // A record that cannot be watched is asked again, which tells why.
    work.watch = await store.watch(run, { changed: askAgain, failed: askAgain });
    return work;
  }

  async goesOn(): Promise<boolean> {
    const now = performance.now();
    if (now - this.askedAt < ALIVE_MS) return this.working;
    this.askedAt = now;
    this.working = (await this.store.findRun(String(this.run.id))).holder?.alive === true;
    return this.working;
  }

  close(): void {
    this.watch?.close();
  }
}

/** Lets logs follow their services to other names. Names may be exchanged, so each log first leaves its old one. */
export function renameLogs(
  home: Home,
  uid: string,
  renames: readonly { readonly from: string; readonly to: string }[],
): void {
  const directory = join(home.runDirectory(uid), "logs");
  const present = new Set(readNames(directory));
  const moving = renames.flatMap(({ from, to }) =>
    STEP_ORDER.filter((step) => present.has(`${from}.${step}.log`)).map((step) => ({
      from: join(directory, `${from}.${step}.log`),
      to: join(directory, `${to}.${step}.log`),
    })),
  );
  for (const { from } of moving) renameSync(from, `${from}.moving`);
  for (const { from, to } of moving) {
    // An earlier service of that name may have left a log there: what is told of a name is told in one file.
    appendFileSync(to, readFileSync(`${from}.moving`), { mode: 0o600 });
    rmSync(`${from}.moving`);
  }
}

async function* readRange(file: LogFile, from: number): AsyncGenerator<LogChunk> {
  const stream = createReadStream(file.path, { start: from, end: file.bytes - 1, encoding: "utf8" });
  for await (const text of stream) yield { ...file, text: text as string };
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // no program has run yet
    throw error;
  }
}
