/** The end of the process, once a command has its result. */
import type { Writable } from "node:stream";

/** How long open handles (a connection to a frozen machine) may keep the process alive, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Ends the process with `code` when everything printed was taken by its reader, however slow that is. What is still open
 * may end by itself for a moment, and cannot hold the process any longer.
 * @param graceMs how long that moment is, in milliseconds
 */
export async function endProcess(code: number, graceMs = GRACE_MS): Promise<void> {
  process.exitCode = code;
  await Promise.all([taken(process.stdout), taken(process.stderr)]);
  // Holds nothing itself: a process with nothing left to do ends at once.
  setTimeout(() => process.exit(), graceMs).unref();
}

/** Resolves when the stream has passed on what was written to it, or never can. */
function taken(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) resolve();
    else
      stream.write("", () => {
        resolve();
      });
  });
}
