/** A local machine in a directory of its own, with bundles to run on it. */
import { mkdtemp, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClosableLink } from "../../src/machines/contract/link.js";
import { createLink } from "./createLink.js";
import { openLocal } from "../../src/machines/local/localConnection.js";
import type { Bundle } from "../../src/machines/program/bundle.js";
import type { ProgramRequest } from "../../src/machines/program/request.js";
import { writeBundle } from "./bundles.js";

let lastTag = Math.floor(Math.random() * 1_000_000_000) + 1;

export interface LocalHost {
  readonly directory: string;
  readonly tag: string;
  readonly link: ClosableLink;
  stop(): Promise<void>;
}

export async function startLocalHost(env: Record<string, string> = {}): Promise<LocalHost> {
  const directory = await mkdtemp(join(tmpdir(), "bl-local-"));
  const tag = String(++lastTag);
  const all = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: directory, BOOTLEVEL_MACHINE: tag, ...env };
  const link = createLink(async () => openLocal({ directory, workDirectory: join(directory, "steps"), env: all, tag }));
  return {
    directory,
    tag,
    link,
    async stop() {
      await link.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A bundle whose program `run.sh` has this text. */
export async function bundleOf(directory: string, script: string): Promise<Bundle> {
  const folder = await mkdtemp(join(directory, "program-"));
  await writeFile(join(folder, "run.sh"), script);
  await mkdir(join(directory, "bundles"), { recursive: true });
  return writeBundle(
    { program: { kind: "file", path: join(folder, "run.sh") }, files: [] },
    join(directory, "bundles"),
  );
}

let lastStep = 0;

/** A request for `run.sh` of the bundle that collects the program's output in `text()`. */
export function requestFor(bundle: Bundle, change: Partial<ProgramRequest> = {}): ProgramRequest & { text(): string } {
  const chunks: Buffer[] = [];
  return {
    directory: `step-${++lastStep}`,
    bundle,
    start: { kind: "file", name: "run.sh" },
    args: [],
    env: {},
    attributes: {},
    promised: [],
    timeoutMs: 20_000,
    sudo: false,
    keep: true,
    signal: new AbortController().signal,
    onOutput: (chunk) => {
      chunks.push(chunk);
    },
    onWarning: (message) => {
      throw new Error(message);
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
    ...change,
  };
}
