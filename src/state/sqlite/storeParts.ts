/** What every part of the SQLite state works with. */
import type { StoreSettings } from "../contract/store.js";
import { type Cipher } from "./cipher.js";
import { type Db } from "./database.js";

export interface StoreParts extends StoreSettings {
  readonly db: Db;
  readonly cipher: Cipher;
  /** Throws when the database's file is not there any more: nothing that is written then is kept. */
  readonly assertInPlace: () => void;
}
