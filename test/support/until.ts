/** Waits for the thing itself instead of for a time. */

import { readFileSync } from "node:fs";

/** Resolves with what `look` gives as soon as that is something: a file that is empty yet, or no number, is nothing. */
export async function until<T>(
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/** Whether there is such a process; one that only waits to be buried (a zombie) is none. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH" || (error as NodeJS.ErrnoException).code === "ENOENT")
      return false;
    throw error;
  }
}
