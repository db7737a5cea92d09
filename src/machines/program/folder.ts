/** Reads local files and folders as bundle members. Links are followed: the bundle contains their targets. */
import { readdir, realpath, stat } from "node:fs/promises";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { basename, join } from "node:path";
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
  const entries: BundleEntry[] = [{ kind: "directory", name, mode }];
  for (const child of (await explain(path, readdir(path))).sort()) {
    entries.push(...(await walk(join(path, child), name === "" ? child : `${name}/${child}`, [...above, real])));
  }
  return entries;
}

async function explain<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT"
        ? "does not exist"
        : code === "EACCES"
          ? "is not readable"
          : code === "ELOOP"
            ? "is a link that points to itself"
            : `cannot be read: ${message}`;
    throw new StagingSourceError(`${path} ${reason}`, { cause });
  }
}
