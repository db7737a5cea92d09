/** Reads local files and folders as bundle members. Links are followed: the bundle contains their targets. */
import { lstat, realpath, stat } from "node:fs/promises";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { basename, join } from "node:path";

import { danglingLink, entriesOf, NOT_UTF8, type Entry } from "../../files/entries.js";
import { type BundleEntry, StagingSourceError } from "./bundleEntry.js";

/** A file, or a folder with its content, under its base name. */
export async function readPath(path: string, { onlyFile = false } = {}): Promise<BundleEntry[]> {
  const entries = await walk(path, basename(path), []);
  if (onlyFile && entries[0]?.kind !== "file") throw new StagingSourceError(`${path} is not a file`);
  return entries;
}

/** A folder's content without the folder itself. */
export async function readFolder(path: string): Promise<BundleEntry[]> {
  const entries = await walk(path, "", []);
  if (entries[0]?.kind === "file") throw new StagingSourceError(`${path} is not a folder`);
  return entries.filter((entry) => entry.name !== "");
}

/** @param above real paths of the parent folders; a link to one of them is a loop */
async function walk(path: string, name: string, above: readonly string[]): Promise<BundleEntry[]> {
  const info = await explain(path, stat(path));
  const mode = info.mode & 0o777;
  if (info.isFile()) {
    await explain(path, access(path, constants.R_OK));
    return [{ kind: "file", name, mode, path, size: info.size }];
  }
  if (!info.isDirectory()) throw new StagingSourceError(`${path} is neither a file nor a folder`);
  const real = await explain(path, realpath(path));
  if (above.includes(real)) throw new StagingSourceError(`${path} is a link to a folder that contains it`);
  // A folder that its owner cannot write to could not be filled, nor removed, by an ordinary user on the machine.
  const entries: BundleEntry[] = [{ kind: "directory", name, mode: mode | 0o700 }];
  for (const { name: child, isUtf8 } of await explain(path, children(path))) {
    if (!isUtf8) throw new StagingSourceError(`${join(path, child)} ${NOT_UTF8}`);
    entries.push(...(await walk(join(path, child), name === "" ? child : `${name}/${child}`, [...above, real])));
  }
  return entries;
}

async function children(path: string): Promise<Entry[]> {
  return entriesOf(path);
}

async function explain<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT"
        ? await missing(path)
        : code === "EACCES"
          ? "is not readable"
          : code === "ELOOP"
            ? "is a link that points to itself"
            : `cannot be read: ${message}`;
    throw new StagingSourceError(`${path} ${reason}`, { cause });
  }
}

/** Why a path leads to nothing. */
async function missing(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? danglingLink(basename(path)) : "does not exist";
}
