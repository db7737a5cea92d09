/** The logs of a run: one a service and step, read as they are or followed while they grow. */
import type { StoredLog } from "../../state/contract/files.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/sqlite/store.js";

export interface LogFile {
  readonly service: string;
  readonly step: string;
  /** Where people find it: an absolute path. */
  readonly path: string;
  readonly bytes: number;
}

export interface LogChunk extends LogFile {
  readonly text: string;
}

const STEP_ORDER = ["prepare", "setup", "boot", "ready", "execute", "report", "terminate"];

/** The run's logs, services in the plan's order; of one service (or all replicas of one) if `service` is given. */
export async function listLogs(store: Store, run: RunRecord, service: string | null): Promise<LogFile[]> {
  return (await chooseLogs(store, run, service, await store.files.logs.list(run.uid))).map(asLogFile);
}

/**
 * The text of the logs, then, if `follow`, what is added while the run is worked on or until `signal` aborts.
 * Chunks of one log come in order.
 */
export async function* readLogs(
  store: Store,
  run: RunRecord,
  options: { service: string | null; follow: boolean; signal: AbortSignal },
): AsyncGenerator<LogChunk> {
  const chunks = store.files.logs.follow(run.uid, {
    choose: (logs) => chooseLogs(store, run, options.service, logs),
    goesOn: async () =>
      options.follow && !options.signal.aborted && (await store.findRun(String(run.id))).holder?.alive === true,
  });
  for await (const { text, ...log } of chunks) yield { ...asLogFile(log), text };
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
