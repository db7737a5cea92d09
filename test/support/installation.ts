/**
 * An installation of bootlevel's own for one test: a home, folders for plans and for what programs tell, and the built
 * command. After the test its launchers are ended, its runs terminated and its directories removed.
 */
import { spawn, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach } from "@jest/globals";
import Database from "better-sqlite3";

import { checkDocument } from "./documents.js";
import { endOf, type Ended } from "./children.js";

export type { Ended } from "./children.js";

/** Another build can be tested with BOOTLEVEL_CLI. */
export const CLI = process.env["BOOTLEVEL_CLI"] ?? fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface CallOptions {
  /** Added to an environment that holds little. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Its standard input. Default: empty. */
  readonly input?: string;
}

export interface Installation {
  /** Everything lies in here; blanks and non-ASCII letters are in its path. */
  readonly directory: string;
  readonly home: string;
  /** Where programs write what they saw. */
  readonly facts: string;
  /** Writes a plan's folder: the plan, and files by name; files that begin with `#!` can be run. Returns the folder. */
  plan(text: string, files?: Readonly<Record<string, string>>, folder?: string): string;
  start(words: readonly string[], options?: CallOptions): Started;
  call(words: readonly string[], options?: CallOptions): Promise<Ended>;
  /** Calls with `--json`; the whole of stdout must be one document, as its schema says. */
  json(words: readonly string[], options?: CallOptions): Promise<Ended & { readonly document: Document }>;
  /** What a program wrote into a file of `facts`; null while it is not there. */
  fact(name: string): string | null;
  /** Names in `facts`, sorted. */
  factNames(): string[];
}

/** A `--json` document, as a reader without types sees it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Document = any;

const made: { installation: Installation; started: Set<Started> }[] = [];

export function installation(): Installation {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel é2e "));
  const home = join(directory, "home");
  const facts = join(directory, "facts");
  mkdirSync(facts);
  const started = new Set<Started>();
  const start = (words: readonly string[], options: CallOptions = {}): Started => {
    const one = launch(
      words,
      {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        HOME: join(directory, "operator"),
        BOOTLEVEL_HOME: home,
        ...options.env,
      },
      options.cwd ?? directory,
      options.input,
    );
    started.add(one);
    void one.ended.finally(() => started.delete(one)).catch(() => undefined);
    return one;
  };
  const call = (words: readonly string[], options?: CallOptions): Promise<Ended> => start(words, options).ended;
  const own: Installation = {
    directory,
    home,
    facts,
    start,
    call,
    plan: (text, files = {}, folder = "plän folder") => writePlan(join(directory, folder), text, files),
    async json(words, options) {
      const ended = await call([...words, "--json"], options);
      const document = parseDocument(ended);
      checkDocument(document as Record<string, unknown>);
      return { ...ended, document };
    },
    fact: (name) => (existsSync(join(facts, name)) ? readFileSync(join(facts, name), "utf8") : null),
    factNames: () => readdirSync(facts).sort(),
  };
  made.push({ installation: own, started });
  return own;
}

/** What the command printed with `--json`. */
export function parseDocument(ended: Ended): Document {
  try {
    return JSON.parse(ended.stdout);
  } catch (cause) {
    throw new Error(`stdout is not one JSON document: ${JSON.stringify(ended)}`, { cause });
  }
}

function launch(words: readonly string[], env: Record<string, string>, cwd: string, input?: string): Started {
  mkdirSync(env["HOME"] as string, { recursive: true });
  return startProgram([process.execPath, CLI, ...words], { env, cwd }, input);
}

/** Starts a program and listens to all that it prints. @param input its standard input; default: empty */
export function startProgram(
  words: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string },
  input?: string,
): Started {
  const [program = "", ...rest] = words;
  const child = spawn(program, rest, { ...options, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
  child.stdin?.on("error", () => undefined); // it may end before it has read all
  child.stdin?.end(input);
  return { pid: child.pid as number, child, ended: endOf(words.slice(-8).join(" "), child) };
}

/** Writes a plan's folder; files that begin with `#!` can be run. @returns the folder */
export function writePlan(folder: string, text: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries({ "launch.yaml": text, ...files })) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (content.startsWith("#!")) chmodSync(path, 0o755);
  }
  return folder;
}

/** Names of the runs that are not terminated. */
function liveRuns(home: string): string[] {
  const file = join(home, databaseName(home) ?? "none");
  if (!existsSync(file)) return [];
  const db = new Database(file, { readonly: true });
  try {
    return db
      .prepare<[], { name: string }>("SELECT name FROM runs WHERE state <> 'terminated'")
      .all()
      .map(({ name }) => name);
  } catch {
    return []; // damaged on purpose by a test
  } finally {
    db.close();
  }
}

/** The name of the database's file below the home. */
export function databaseName(home: string): string | undefined {
  return existsSync(home)
    ? readdirSync(home).find((name) => name.endsWith(".db") || name.endsWith(".sqlite"))
    : undefined;
}

afterEach(async () => {
  for (const { installation: own, started } of made.splice(0)) {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.allSettled([...started].map(({ ended }) => ended));
    const left = liveRuns(own.home);
    if (left.length > 0) await own.call(["terminate", ...left, "--force", "--yes"]);
    rmSync(own.directory, { recursive: true, force: true });
  }
}, 30_000);
