/** Opens the record: the one place that chooses what stands behind it. */
import type { Store, StoreOptions } from "./contract/store.js";

/**
 * Opens the record in `directory` (default `$BOOTLEVEL_HOME`, else `~/.bootlevel`). The caller closes it.
 * @throws StateError if it cannot be used; nothing is overwritten then.
 */
export async function openStore(directory?: string, options: StoreOptions = {}): Promise<Store> {
  // Loaded here, so that commands that need no record do not pay for its database.
  const { openSqliteStore } = await import("./sqlite/sqliteStore.js");
  return openSqliteStore(directory, options);
}
