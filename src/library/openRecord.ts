/** The installation's record, opened for as long as a call of the library lasts. */
import { openStore } from "../state/openStore.js";
import type { RunRecord } from "../state/contract/records.js";
import type { Store } from "../state/contract/store.js";
import { storeOptions, type HomeOption } from "./options.js";

/** Opens the record for one piece of work. */
export async function withStore<T>(options: HomeOption, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(options.home, storeOptions(options));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The same for work on one run. @throws UnknownRunError */
export async function withRun<T>(
  run: string,
  options: HomeOption,
  work: (store: Store, record: RunRecord) => Promise<T>,
): Promise<T> {
  return withStore(options, async (store) => work(store, await store.findRun(run)));
}
