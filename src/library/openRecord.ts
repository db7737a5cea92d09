/** Opens the installation's record for one call of the library. */
import { openStore } from "../state/openStore.js";
import type { RunRecord } from "../state/contract/records.js";
import type { Store, WithoutRecord } from "../state/contract/store.js";
import { storeOptions, type HomeOption } from "./options.js";

/**
 * Opens the record, does `work`, and closes the record.
 * @param without what to do where there is no record. Only a call that begins a run or an image creates one.
 * @returns the result of `work`.
 * @throws StateError when the record cannot be opened, and the errors of `work`.
 */
export async function withStore<T>(
  options: HomeOption,
  work: (store: Store) => Promise<T>,
  without: WithoutRecord = "empty",
): Promise<T> {
  const store = await openStore(options.home, { ...storeOptions(options), without });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/**
 * Like `withStore`, for work on one run.
 * @param run a run's name or number.
 * @throws UnknownRunError
 */
export async function withRun<T>(
  run: string,
  options: HomeOption,
  work: (store: Store, record: RunRecord) => Promise<T>,
): Promise<T> {
  return withStore(options, async (store) => {
    const record = await store.findRun(run);
    try {
      return await work(store, record);
    } catch (error) {
      throw await withoutSecrets(error, store, record);
    }
  });
}

/** The error without the run's secrets. If they cannot be read, it is this error that matters. */
async function withoutSecrets(error: unknown, store: Store, record: RunRecord): Promise<unknown> {
  const [{ runSecrets }, { Redactor }, { redactError }] = await Promise.all([
    import("../engine/session/runSecrets.js"),
    import("../secrets/redactor.js"),
    import("../secrets/redactError.js"),
  ]);
  const secrets = await runSecrets(store, record, "optional").catch(() => []);
  return redactError(error, new Redactor(secrets));
}
