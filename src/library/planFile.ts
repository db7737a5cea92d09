/** Resolves a plan's path to a file. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Returns the absolute path of a plan file.
 * @param path a file, or a folder with `launch.yaml`.
 */
export async function planFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => null); // for a path that is missing or not readable, the loader reports the error
  return resolve(found?.isDirectory() ? join(path, "launch.yaml") : path);
}
