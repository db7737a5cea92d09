/** Starts holders of runs (`holder.ts`), bundled from src/ when the first one is wanted. */
import { fork, type ChildProcess } from "node:child_process";

import { afterEach } from "@jest/globals";

import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import type { HolderEnd } from "./holder.js";
import { bundled } from "./launchers.js";

export interface Holder {
  readonly child: ChildProcess;
  /** How its boot ended; null: it was killed. */
  readonly ended: Promise<HolderEnd | null>;
}

const living = new Set<ChildProcess>();

afterEach(() => {
  for (const child of living) child.kill("SIGKILL");
});

/** A process that boots the plan as a run of that name. */
export async function startHolder(home: string, run: string, plan: LaunchPlan): Promise<Holder> {
  const { holder } = await bundled();
  const child = fork(holder, [home, run, JSON.stringify(plan)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
    env: { PATH: process.env["PATH"] },
  });
  living.add(child);
  const ended = new Promise<HolderEnd | null>((resolve) => {
    let end: HolderEnd | null = null;
    child.once("message", (message) => {
      end = message as HolderEnd;
    });
    child.once("exit", () => {
      living.delete(child);
      resolve(end);
    });
  });
  return { child, ended };
}
