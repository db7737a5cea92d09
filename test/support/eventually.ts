/** Waits for the thing itself instead of for a time, and gives up with words. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

import { runningOutputs } from "./children.js";
import { remainingMs } from "./deadline.js";

type Nothing = null | undefined | false;
type Look<T> = () => T | Nothing | Promise<T | Nothing>;

/**
 * Resolves with what `look` gives as soon as that is something. @throws after `limitMs` milliseconds, or when the test
 * must end: what was waited for, what was seen last, and what children that still run have printed.
 */
export async function eventually<T>(what: string, look: Look<T>, limitMs = 20_000, seen?: () => string): Promise<T> {
  return poll(what, look, (found) => found !== null && found !== undefined && found !== false, limitMs, seen);
}

/**
 * As `eventually`, for a condition that says itself what it waits for: its own source is in the words of the failure.
 * Zero and the empty text are nothing, too: a file that is empty yet, or no number. It waits as long as the test may.
 */
export async function until<T>(look: Look<T>, limitMs = Infinity): Promise<T> {
  return poll(String(look), look, Boolean, limitMs);
}

/** As the promise. @throws when it has not settled after `limitMs` milliseconds, or when the test must end. */
export function within<T>(what: string, promise: Promise<T>, limitMs = Infinity): Promise<T> {
  const failure = new Error();
  const ms = remainingMs(limitMs);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      failure.message = `waited ${Math.round(ms)} ms in vain for: ${what}`;
      reject(failure);
    }, ms).unref();
  });
  const first = Promise.race([promise, tooLate]).finally(() => {
    clearTimeout(timer);
  });
  // A caller may have what it waits for from elsewhere, and look at this one no more.
  first.catch(() => undefined);
  return first;
}

async function poll<T>(
  what: string,
  look: Look<T>,
  isThere: (found: T | Nothing) => boolean,
  limitMs: number,
  seen?: () => string,
): Promise<T> {
  // Made here, so that its stack tells who waits.
  const failure = new Error();
  const startedAt = performance.now();
  const end = startedAt + remainingMs(limitMs);
  for (;;) {
    const found = await look();
    if (isThere(found)) return found as T;
    if (performance.now() > end) {
      const ms = Math.round(performance.now() - startedAt);
      failure.message = `waited ${ms} ms in vain for: ${what}\nseen last: ${seen?.() ?? inspect(found)}`;
      const outputs = runningOutputs();
      if (outputs !== "") failure.message += `\nstill running: ${outputs}`;
      throw failure;
    }
    await sleep(10);
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
