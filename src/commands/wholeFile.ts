/** Writes a file atomically: whole, or not at all. */
import { randomBytes } from "node:crypto";
import { chmod, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { UsageError } from "./exitCodes.js";

/**
 * Writes a temporary file and renames it. Replaces an existing file; follows a symbolic link.
 * @param mode permissions, independent of the umask; without it the umask applies.
 * @returns the absolute path.
 * @throws UsageError if writing fails, or if the name belongs to something other than a regular file.
 */
export async function writeWholeFile(file: string, content: string, mode?: number): Promise<string> {
  // Usually the file does not exist yet. Any other error recurs when writing, and is reported then.
  const path = await realpath(file).catch(() => resolve(file));
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isFile())
    throw new UsageError(
      `cannot write ${file}: ` +
        `${found.isDirectory() ? "it is a directory; name a file in it" : "it is not a regular file"}`,
    );
  const aside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(aside, content, { flag: "wx" });
    if (mode !== undefined) await chmod(aside, mode);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw new UsageError(`cannot write ${file}: ${reason(error as NodeJS.ErrnoException)}`);
  }
  return path;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such directory",
  ENOTDIR: "a part of its path is not a directory",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "read-only file system",
  ENOSPC: "the disk is full",
  EDQUOT: "your disk quota is used up",
  EIO: "the disk reported an error",
};

function reason(error: NodeJS.ErrnoException): string {
  return REASONS[error.code ?? ""] ?? error.message;
}
