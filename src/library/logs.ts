/** The output of programs. */
import type { LogChunk, LogFile } from "./types.js";
import { storeOptions, type HomeOption } from "./options.js";
import { openStore } from "../state/openStore.js";
import { withRun } from "./openRecord.js";

/**
 * Lists a run's log files, services in the plan's order.
 * @param options.service a service (with all its replicas) or one replica. Default: all.
 * @throws UnknownRunError
 */
export async function listLogs(
  run: string,
  options: HomeOption & { readonly service?: string } = {},
): Promise<LogFile[]> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/logs.js")).listLogs(store, record, options.service ?? null),
  );
}

/**
 * Reads the text of a run's logs, as chunks. With `follow`, it continues until no launcher works on the run or `signal`
 * aborts.
 * @throws UnknownRunError
 */
export async function* readLogs(
  run: string,
  options: HomeOption & { readonly service?: string; readonly follow?: boolean; readonly signal?: AbortSignal } = {},
): AsyncGenerator<LogChunk> {
  const store = await openStore(options.home, { ...storeOptions(options), without: "empty" });
  try {
    const logs = await import("../engine/operations/logs.js");
    const signal = options.signal ?? new AbortController().signal;
    yield* logs.readLogs(store, await store.findRun(run), {
      service: options.service ?? null,
      follow: options.follow ?? false,
      signal,
    });
  } finally {
    await store.close();
  }
}
