/** Which file a caller means by a plan's path. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The path itself, or the `launch.yaml` of a folder; absolute. */
export async function planFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => null); // what is missing or closed the loader cannot read either: it says so, and why
  return resolve(found?.isDirectory() ? join(path, "launch.yaml") : path);
}
