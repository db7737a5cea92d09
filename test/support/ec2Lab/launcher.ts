/** The command in a lab: the built one, in the lab's network, with a home in the lab. */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import {
  CLI,
  parseDocument,
  startProgram,
  writePlan,
  type Document,
  type Ended,
  type Started,
} from "../installation.js";
import type { Namespace } from "./namespace.js";

export interface CliOptions {
  /** Added to an environment that holds little: credentials that are none, and the region. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another installation, by a name. */
  readonly home?: string;
  /** Words before the command, such as `nice`. */
  readonly before?: readonly string[];
}

export interface Launcher {
  start(words: readonly string[], options?: CliOptions): Started;
  call(words: readonly string[], options?: CliOptions): Promise<Ended>;
  /** Calls with `--json`; the whole of stdout must be one document. */
  json(words: readonly string[], options?: CliOptions): Promise<Ended & { readonly document: Document }>;
  /** Writes a plan's folder; files that begin with `#!` can be run. Returns the folder, as the launcher sees it. */
  plan(text: string, files?: Readonly<Record<string, string>>): string;
  /** Ends every command that still runs. */
  close(): Promise<void>;
}

/** What Amazon's library must not find here: anything that is real. */
export const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  AWS_REGION: "eu-central-1",
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
};

export function launcherIn(namespace: Namespace): Launcher {
  const running = new Set<Started>();
  const start: Launcher["start"] = (words, { env = {}, home = "operator", before = [] } = {}) => {
    const directory = `/mnt/${home}`;
    mkdirSync(namespace.outside(directory), { recursive: true });
    const own = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: directory,
      BOOTLEVEL_HOME: join(directory, "état"),
      ...ENVIRONMENT,
      ...env,
    };
    const started = startProgram(namespace.words([...before, process.execPath, CLI, ...words]), { env: own });
    running.add(started);
    void started.ended.finally(() => running.delete(started)).catch(() => undefined);
    return started;
  };
  return {
    start,
    call: (words, options) => start(words, options).ended,
    async json(words, options) {
      const ended = await start([...words, "--json"], options).ended;
      return { ...ended, document: parseDocument(ended) };
    },
    plan(text, files = {}) {
      const folder = `/mnt/plän ${randomUUID()}`;
      writePlan(namespace.outside(folder), text, files);
      return folder;
    },
    async close() {
      for (const { child } of running) child.kill("SIGKILL");
      await Promise.allSettled([...running].map(({ ended }) => ended));
    },
  };
}
