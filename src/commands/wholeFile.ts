/** Writes a file where the operator wants it: whole, or not at all. */
import { randomBytes } from "node:crypto";
import { chmod, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { UsageError } from "./exitCodes.js";

/**
 * Writes a file beside its place and moves it there; a file that is there is replaced, through a symbolic link if its
 * name is one.
 * @param mode its permissions, whatever the umask is; without it the umask decides.
 * @returns the absolute path.
 * @throws UsageError when that is not possible, or something that is no plain file bears the name.
 */
export async function writeWholeFile(file: string, content: string, mode?: number): Promise<string> {
  // Mostly nothing is there yet. What else keeps one from looking keeps one from writing too, and is told then.
  const path = await realpath(file).catch(() => resolve(file));
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isFile())
    throw new UsageError(
      `cannot write ${file}: ${found.isDirectory() ? "it is a directory; name a file in it" : "it is no plain file"}`,
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
  ENOENT: "there is no such directory",
  ENOTDIR: "a part of its path is no directory",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "nothing can be written there",
};

function reason(error: NodeJS.ErrnoException): string {
  return REASONS[error.code ?? ""] ?? error.message;
}
