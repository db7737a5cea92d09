/** Takes a local machine's directory away, and what its programs' runs keep in memory file systems. */
import { chmod, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** How removing a folder fails whose content its owner may not change. */
const CLOSED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "ENOTEMPTY"]);

/**
 * Removes everything below `directory`, and what the steps in its `work` folder keep in memory. Safe to repeat.
 * @param work where step directories lie, in or under `directory`
 * @throws the file system's error if something would not go.
 */
export async function removeMachineDirectory(directory: string, work = join(directory, "work")): Promise<void> {
  for (const step of await stepDirectories(work)) await removeRuntimeDirectory(step);
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!CLOSED.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await openUp(directory); // a program closed a folder of its own (chmod 500): it is ours to open
    await rm(directory, { recursive: true, force: true });
  }
}

/** Steps lie as `<service>/<step>`: a machine may carry the programs of several services. */
async function stepDirectories(work: string): Promise<string[]> {
  const steps: string[] = [];
  for (const service of await children(work)) steps.push(...(await children(service)));
  return steps;
}

async function children(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/**
 * A run that nobody came back for has left its private directory in memory; its path stands in the step's directory.
 */
async function removeRuntimeDirectory(step: string): Promise<void> {
  let path: string;
  try {
    path = (await readFile(join(step, ".bl", "rt-path"), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  // The machine's programs can write that file: only what the runner itself makes is removed.
  if (/^\/(dev\/shm|run\/user\/\d+)\/bl\.[A-Za-z0-9]+$/.test(path)) await rm(path, { recursive: true, force: true });
}

async function openUp(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const child of await children(directory)) await openUp(child);
}
