/** What every part of the SQLite state works with. */
import { type Clock } from "../../time/clock.js";
import type { Environment } from "../../model/environment.js";
import { type Cipher } from "./cipher.js";
import { type Db } from "./database.js";

export interface StoreOptions {
  /** What times are taken from. Default: the computer's. */
  readonly clock?: Clock;
  /**
   * Told every point at which a launcher may die: before and after each write of a run and each call to a cloud. Tests
   * die there.
   */
  readonly probe?: (point: string) => void;
  /** What chance is taken from, 0 to 1. Default: the computer's; a rehearsal that is to be repeated has its own. */
  readonly random?: () => number;
  /** The environment variables that may be read. Default: none. */
  readonly env?: Environment;
}

/** What every part of the state works with. */
export interface StoreParts extends Chosen {
  readonly db: Db;
  readonly cipher: Cipher;
  /** Throws when the database's file is not there any more: nothing that is written then is kept. */
  readonly assertInPlace: () => void;
}

/** As they were given, or their defaults. Nobody listens to points by default: then not even their names are made. */
export type Chosen = Required<Omit<StoreOptions, "probe">> & { readonly probe: StoreOptions["probe"] };
