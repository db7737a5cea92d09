/** Child processes that a test waits for: never without a limit, and a failure shows what they printed. */
import type { ChildProcess } from "node:child_process";

import { remainingMs } from "./deadline.js";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Watched {
  readonly name: string;
  readonly text: { stdout: string; stderr: string };
}

const running = new Set<Watched>();

/** How much of a child's output a failure shows, in characters of each stream. */
const TAIL = 2_000;

const shown = ({ name, text }: Watched): string =>
  [`${name}:`, ...(["stdout", "stderr"] as const).map((stream) => `  ${stream}: ${text[stream].slice(-TAIL)}`)].join(
    "\n",
  );

/** What children that still run have printed so far, for a failure's words; empty if there are none. */
export function runningOutputs(): string {
  return [...running].map(shown).join("\n");
}

/**
 * Resolves when the child has ended and its output is whole. A child that has not ended by then is killed when the test
 * must end, or after `limitMs`. @throws for that child, with the end of its output; and when it cannot be started.
 */
export function endOf(name: string, child: ChildProcess, limitMs?: number): Promise<Ended> {
  const watched: Watched = { name, text: { stdout: "", stderr: "" } };
  running.add(watched);
  for (const stream of ["stdout", "stderr"] as const)
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      watched.text[stream] += chunk;
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    const ms = remainingMs(limitMs);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`waited ${Math.round(ms)} ms in vain for the end of ${shown(watched)}`));
    }, ms);
    const over = (): void => {
      clearTimeout(timer);
      running.delete(watched);
    };
    child.once("error", (error) => {
      over();
      reject(error);
    });
    child.once("close", (code, signal) => {
      over();
      resolve({ code, signal, ...watched.text });
    });
  });
  // Some children are started and killed by a test that does not look at their end.
  ended.catch(() => undefined);
  return ended;
}

/**
 * Resolves when a child that was told to end has ended, output or none. @throws after `limitMs` milliseconds, once it is
 * killed.
 */
export async function exitOf(name: string, child: ChildProcess, limitMs = 10_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`waited ${limitMs} ms in vain for the end of ${name} (process ${child.pid ?? 0})`));
    }, limitMs);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
