/** What all parts of the SQLite store share. */
import type { StoreSettings } from "../contract/store.js";
import { type Cipher } from "./cipher.js";
import { type Db } from "./database.js";

export interface StoreParts extends StoreSettings {
  readonly db: Db;
  readonly cipher: Cipher;
  /** Throws if the database file was removed or replaced: later writes would be lost. */
  readonly assertInPlace: () => void;
}
