/**
 * State of a driver as files: a folder for each group, a file for each key. A file is written under another name, on
 * disk, and then linked or renamed to its own: it appears whole.
 *
 * Each change is made in the turn in which it is asked for, unless another process changes the same key: whoever has
 * just been permitted to write is not overtaken by other work of this process.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import { exists } from "../../files/exists.js";
import type { DriverState, StateEntry, StateKey, StateValue } from "../../model/driverState.js";
import { DamagedFileError, isDamagedFileError } from "../contract/fileErrors.js";
import { cannotRead, cannotWrite, isMissing } from "./fileErrors.js";

/** A draft lives for a moment. One of this age, in milliseconds, was left by a launcher that died in that moment. */
const ABANDONED_MS = 60 * 60_000;
/** A lock is held within one turn. One of this age, in milliseconds, is a dead or frozen process's and is taken away. */
const LOCK_ABANDONED_MS = 5_000;
/** Milliseconds before a key that another process changes is tried again. */
const LOCK_PAUSE_MS = 5;
/** How to write an empty name: no encoded one is a bare percent sign. */
const EMPTY = "%";

/** Where a key lies. */
interface Place {
  readonly folder: string;
  readonly file: string;
  /** Whoever has it may change the file. It is a link to the draft of the new value. */
  readonly lock: string;
}

/** Touches nothing: folders are made when there is something to put there. @param directory the driver's own. */
export function driverStateFolder(directory: string): DriverState {
  return new DriverStateFolder(directory);
}

class DriverStateFolder implements DriverState {
  /** Folders that were rid of old drafts. */
  private readonly swept = new Set<string>();

  constructor(private readonly directory: string) {}

  async get(key: StateKey): Promise<StateValue | null> {
    return readValue(this.place(key).file);
  }

  async insert(key: StateKey, value: StateValue): Promise<boolean> {
    const place = this.place(key);
    return this.writing(place, () => {
      const draft = this.draft(place, value);
      try {
        if (!linked(draft, place.file)) return false;
        syncFolder(place.folder);
        return true;
      } finally {
        rmSync(draft);
      }
    });
  }

  async replace(key: StateKey, value: StateValue, expected?: StateValue): Promise<boolean> {
    return this.change(this.place(key), value, expected);
  }

  async remove(key: StateKey, expected?: StateValue): Promise<boolean> {
    const place = this.place(key);
    return isThere(place.file) && this.change(place, null, expected);
  }

  async list(prefix: StateKey, onDamaged?: (key: StateKey, error: Error) => void): Promise<StateEntry[]> {
    const { group, folder } = this.groupOf(prefix);
    this.sweep(folder);
    const files = names(folder).filter((file) => !file.startsWith("."));
    return files.flatMap((file) => {
      let key: StateKey = `${group}/${file}`;
      try {
        key = `${group}/${nameOf(file, folder)}`;
        const value = key.startsWith(prefix) ? readValue(join(folder, file)) : null;
        return value === null ? [] : [{ key, value }];
      } catch (error) {
        if (onDamaged === undefined || !isDamagedFileError(error)) throw error;
        onDamaged(key, error);
        return [];
      }
    });
  }

  /** @param value null: the key is removed. */
  private async change(place: Place, value: StateValue | null, expected?: StateValue): Promise<boolean> {
    const draft = this.writing(place, () => this.draft(place, value));
    try {
      for (;;) {
        const changed = this.writing(place, () => tryChange(place, draft, value === null, expected));
        if (changed !== null) return changed;
        await sleep(LOCK_PAUSE_MS);
      }
    } finally {
      this.writing(place, () => {
        rmSync(draft, { force: true });
      });
    }
  }

  private draft({ folder }: Place, value: StateValue | null): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.sweep(folder);
    const draft = join(folder, `.${randomBytes(6).toString("hex")}`);
    try {
      writeFileSync(draft, JSON.stringify(value), { mode: 0o600, flag: "wx", flush: value !== null });
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    return draft;
  }

  /** Removes what launchers that died have left. */
  private sweep(folder: string): void {
    if (this.swept.has(folder)) return;
    this.swept.add(folder);
    for (const name of names(folder).filter((file) => file.startsWith("."))) {
      const path = join(folder, name);
      const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
      if (Date.now() - written > ABANDONED_MS) rmSync(path, { force: true });
    }
  }

  private groupOf(key: StateKey): { readonly group: string; readonly name: string; readonly folder: string } {
    const [, group, name] = /^([\w-]+)\/(.*)$/s.exec(key) ?? [];
    if (group === undefined || name === undefined)
      throw new TypeError(`a driver's key is "group/name", the group of letters, digits, - and _: ${key}`);
    return { group, name, folder: join(this.directory, group) };
  }

  private place(key: StateKey): Place {
    const { name, folder } = this.groupOf(key);
    const file = fileName(name);
    return { folder, file: join(folder, file), lock: join(folder, `.lock-${file}`) };
  }

  private writing<T>({ file }: Place, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw (error as NodeJS.ErrnoException).syscall === undefined ? error : cannotWrite(file, this.directory, error);
    }
  }
}

/**
 * Changes a file, if nobody else is about to. The lock is itself what becomes the file, so a process that froze in here,
 * and whose lock was taken away meanwhile, finds nothing to put in place: it tries again, and compares again.
 * @returns whether it was changed; null if another process has the lock
 */
function tryChange(place: Place, draft: string, isRemoval: boolean, expected: StateValue | undefined): boolean | null {
  const { folder, file, lock } = place;
  if (!linked(draft, lock)) {
    const takenAt = statSync(lock, { throwIfNoEntry: false })?.ctimeMs ?? Date.now();
    // One from the future was taken before the computer's clock was set back.
    if (Math.abs(Date.now() - takenAt) > LOCK_ABANDONED_MS) rmSync(lock, { force: true });
    return null;
  }
  try {
    if (expected !== undefined && !isDeepStrictEqual(readValue(file), asRead(expected))) return false;
    if (!isSameFile(draft, lock)) return null;
    if (isRemoval) {
      const found = isThere(file);
      rmSync(file, { force: true });
      syncFolder(folder);
      return found;
    }
    renameSync(lock, file);
    syncFolder(folder);
    return true;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  } finally {
    if (isSameFile(draft, lock)) rmSync(lock, { force: true });
  }
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false })?.ino);
  return first !== undefined && first === second;
}

/** @throws FileError if that cannot be told. */
function isThere(path: string): boolean {
  try {
    return exists(path);
  } catch (error) {
    throw cannotRead(path, (error as Error).cause);
  }
}

/** Links a draft to a name. @returns false if the name is taken. */
function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Makes names in a folder outlive a power failure. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A value as it comes back from a file. */
function asRead(value: StateValue): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** @returns null if there is no such file. @throws FileError if it cannot be read, or is not whole. */
function readValue(path: string): StateValue | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw cannotRead(path, error);
  }
  try {
    const value = JSON.parse(text) as StateValue | null;
    if (value !== null) return value;
    throw new SyntaxError("it holds no value");
  } catch (error) {
    throw new DamagedFileError(
      `${path}, which a driver has written, is damaged: ${(error as Error).message}`,
      "restore it from a copy; if the machines that it is about do not exist any more, remove it",
      { cause: error },
    );
  }
}

/** What is in a folder; nothing if there is none. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw cannotRead(folder, error);
  }
}

/** Files that begin with a dot are drafts and locks, and "." and ".." are no files. */
function fileName(name: string): string {
  return name === "" ? EMPTY : encodeURIComponent(name).replace(/^\./, "%2E");
}

/** @throws FileError for a file that no driver has written. */
function nameOf(file: string, folder: string): string {
  try {
    return file === EMPTY ? "" : decodeURIComponent(file);
  } catch (error) {
    throw new DamagedFileError(`${join(folder, file)} is no file of a driver's state`, "move it elsewhere", {
      cause: error,
    });
  }
}
