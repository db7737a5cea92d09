/**
 * Starts launchers that die on order (`launcher.ts`): bundled from src/ when the first one is wanted, one process for
 * each lane of work.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll } from "@jest/globals";
import { build } from "esbuild";

import { exitOf } from "./children.js";
import { remainingMs } from "./deadline.js";
import type { Order, Report } from "./launcher.js";
import { until } from "./eventually.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const EXTERNAL = ["better-sqlite3", "ssh2", "tar-stream", "ajv", "yaml", "p-limit", "parse-duration", "leven"];

export interface Bundle {
  readonly launcher: string;
  /** `holder.ts` */
  readonly holder: string;
  /** The test cloud, as a plan names it: its errors are the launcher's, since both come from one build. */
  readonly cloud: string;
}

let bundle: Promise<Bundle> | undefined;
let folder: string | undefined;

export function bundled(): Promise<Bundle> {
  bundle ??= makeBundle();
  return bundle;
}

async function makeBundle(): Promise<Bundle> {
  folder = mkdtempSync(join(tmpdir(), "bootlevel-launcher-"));
  for (const name of ["node_modules", "package.json", "schemas"]) symlinkSync(join(root, name), join(folder, name));
  const entryPoints = ["launcher", "holder", "testCloud"].map((name) => join(root, "test/support", `${name}.ts`));
  await build({
    entryPoints,
    outdir: join(folder, "built"),
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: EXTERNAL,
    logLevel: "error",
  });
  return {
    launcher: join(folder, "built/launcher.js"),
    holder: join(folder, "built/holder.js"),
    cloud: join(folder, "built/testCloud.js"),
  };
}

const living = new Set<ChildProcess>();

/** What becomes of an order: the report, or the death that was ordered. */
export type Outcome = { readonly kind: "report"; readonly report: Report } | { readonly kind: "killed" };

/** A launcher that was stopped by SIGSTOP; `frozen` is false for one that has ended without coming to its point. */
export interface Frozen {
  readonly pid: number;
  readonly frozen: boolean;
  wake(): Promise<Outcome>;
}

function isStopped(pid: number): boolean {
  return /\) T/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

const orderWords = (order: Order): string => JSON.stringify({ ...order, command: order.command.verb });

/** One launcher at a time, the next one started as soon as the last one is dead. */
export class Launcher {
  private child: Promise<ChildProcess>;

  /** @param env what its process gets besides. */
  constructor(private readonly env: Readonly<Record<string, string>> = {}) {
    this.child = this.start();
  }

  /** @param killAfterMs kills it from outside so many milliseconds after the order. */
  async carryOut(order: Order, killAfterMs: number | null = null): Promise<Outcome> {
    const child = await this.child;
    const ended = this.end(child, order);
    const timer = killAfterMs === null ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    const outcome = await ended;
    clearTimeout(timer);
    if (outcome.kind === "killed") this.child = this.start();
    return outcome;
  }

  /** Carries an order out up to the point where the launcher freezes, if it comes there. */
  async freeze(order: Order): Promise<Frozen> {
    const child = await this.child;
    const pid = child.pid as number;
    let over = false;
    const ended = this.end(child, order).finally(() => {
      over = true;
    });
    await until(() => over || isStopped(pid));
    return {
      pid,
      frozen: !over,
      wake: () => {
        child.kill("SIGCONT");
        return ended;
      },
    };
  }

  private end(child: ChildProcess, order: Order): Promise<Outcome> {
    return new Promise<Outcome>((resolve, reject) => {
      let said = "";
      const listen = (chunk: Buffer) => {
        said += chunk.toString("utf8");
      };
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        over();
        living.delete(child);
        reject(new Error(`waited in vain for the end of ${orderWords(order)}: ${said.slice(-2_000)}`));
      }, remainingMs());
      const over = () => {
        clearTimeout(timer);
        child
          .removeAllListeners("message")
          .removeAllListeners("exit")
          .once("exit", () => living.delete(child));
        child.stderr?.off("data", listen);
      };
      child.stderr?.on("data", listen);
      child.once("message", (report) => {
        over();
        resolve({ kind: "report", report: report as Report });
      });
      child.once("exit", (code, signal) => {
        over();
        living.delete(child);
        if (signal === "SIGKILL") resolve({ kind: "killed" });
        else reject(new Error(`the launcher ended with ${code ?? signal ?? ""} at ${orderWords(order)}: ${said}`));
      });
      child.send(order);
    });
  }

  async stop(): Promise<void> {
    const child = await this.child;
    child.kill("SIGKILL");
    await exitOf("a launcher", child);
  }

  private async start(): Promise<ChildProcess> {
    const { launcher } = await bundled();
    const child = fork(launcher, [], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
      env: { PATH: process.env["PATH"], ...this.env },
    });
    living.add(child);
    child.once("exit", () => living.delete(child));
    return child;
  }
}

afterAll(() => {
  for (const child of living) child.kill("SIGKILL");
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});
