/** What programs printed. */
import type { LogChunk, LogFile } from "./types.js";
import { storeOptions, type HomeOption } from "./options.js";
import { openStore } from "../state/openStore.js";
import { withRun } from "./openRecord.js";

/** The run's log files; of one service if it is given. @throws UnknownRunError */
export async function listLogs(
  run: string,
  options: HomeOption & { readonly service?: string } = {},
): Promise<LogFile[]> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/logs.js")).listLogs(store, record, options.service ?? null),
  );
}

/**
 * The text of the run's logs; with `follow`, on until nobody works on the run any more, or `signal` aborts. @throws
 * UnknownRunError
 */
export async function* readLogs(
  run: string,
  options: HomeOption & { readonly service?: string; readonly follow?: boolean; readonly signal?: AbortSignal } = {},
): AsyncGenerator<LogChunk> {
  const store = await openStore(options.home, storeOptions(options));
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
