/** The logs of a run: one per service and step, read once or followed while they grow. */
import { RedactingStream, type Redactor } from "../../secrets/redactor.js";
import { runRedactor } from "../session/runSecrets.js";
import type { StoredLog } from "../../state/contract/files.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { RecordWatch, Store } from "../../state/contract/store.js";

export interface LogFile {
  readonly service: string;
  readonly step: string;
  /** Its absolute path. */
  readonly path: string;
  readonly bytes: number;
}

export interface LogChunk extends LogFile {
  readonly text: string;
}

/** How often to check, without a change in the record, whether the launcher is alive, in milliseconds. */
const ALIVE_MS = 1_000;
const STEP_ORDER = ["prepare", "setup", "boot", "ready", "execute", "report", "terminate"];

/**
 * The run's logs, services in the plan's order. `service` selects one service (with all its replicas) or one replica.
 */
export async function listLogs(store: Store, run: RunRecord, service: string | null): Promise<LogFile[]> {
  return (await chooseLogs(store, run, service, await store.files.logs.list(run.uid))).map(asLogFile);
}

/**
 * The text of the logs. With `follow`, also what is added, until no launcher works on the run or `signal` aborts.
 * Chunks of one log come in order.
 */
export async function* readLogs(
  store: Store,
  run: RunRecord,
  options: { service: string | null; follow: boolean; signal: AbortSignal },
): AsyncGenerator<LogChunk> {
  const work = options.follow ? await WatchedWork.open(store, run) : null;
  try {
    const chunks = store.files.logs.follow(run.uid, {
      choose: (logs) => chooseLogs(store, run, options.service, logs),
      goesOn: async () => work !== null && !options.signal.aborted && (await work.goesOn()),
    });
    // A secret may have become known after the text was written.
    const redacted = new RedactedLogs(await runRedactor(store, run));
    for await (const { text, ...log } of chunks) yield* redacted.push(asLogFile(log), text);
    yield* redacted.end();
  } finally {
    work?.close();
  }
}

/** Redacts the text of several logs, each a stream of its own. */
class RedactedLogs {
  private readonly streams = new Map<string, { log: LogFile; readonly stream: RedactingStream }>();

  constructor(private readonly redactor: Redactor) {}

  *push(log: LogFile, text: string): Generator<LogChunk> {
    const known = this.streams.get(log.path) ?? { log, stream: new RedactingStream(this.redactor) };
    this.streams.set(log.path, { ...known, log });
    yield* chunk(log, known.stream.push(text));
  }

  *end(): Generator<LogChunk> {
    for (const { log, stream } of this.streams.values()) yield* chunk(log, stream.end());
  }
}

function* chunk(log: LogFile, text: string): Generator<LogChunk> {
  if (text !== "") yield { ...log, text };
}

/**
 * Tells whether a launcher works on a run. It reads the record when it changes, and regularly in case the launcher
 * dies.
 */
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
    // If the record cannot be watched, the next read reports why.
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

async function chooseLogs(
  store: Store,
  run: RunRecord,
  service: string | null,
  logs: readonly StoredLog[],
): Promise<StoredLog[]> {
  const present = new Map(logs.map((log) => [`${log.service}.${log.step}`, log]));
  const services = (await store.services(run)).filter(
    (record) => service === null || record.name === service || record.spec === service,
  );
  return services.flatMap(({ name }) => STEP_ORDER.flatMap((step) => present.get(`${name}.${step}`) ?? []));
}

function asLogFile({ service, step, location, bytes }: StoredLog): LogFile {
  return { service, step, path: location, bytes };
}
