/**
 * Logs as `<service>.<step>.log` in a folder of each run. Text is written at once and not later: what a program has
 * said must be there when its launcher dies. Nothing is waited for, either: in a rehearsal time would go on meanwhile.
 */
import {
  closeSync,
  createReadStream,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type { LogFiles, LogName, LogWriter, StoredLog } from "../contract/files.js";
import { cannotRead, cannotWrite, fileIn, isMissing } from "./fileErrors.js";
import { cutLog, writeAll } from "./logCut.js";
import { LogFollower } from "./logFollower.js";

/** How often followed files are looked at, in milliseconds. */
const FOLLOW_MS = 200;
const NAME = /^(.+)\.([a-z]+)\.log$/;

/** @param root what there must be room in, for messages. */
export function logFolders(folderOf: (uid: string) => string, root: string): LogFiles {
  const location = (uid: string, { service, step }: LogName) => fileIn(folderOf(uid), `${service}.${step}.log`);
  const list = async (uid: string, service?: string) => listFolder(folderOf(uid), service ?? null);
  const read = (uid: string, log: LogName, range: { readonly from: number; readonly to: number }) =>
    readRange(location(uid, log), range);
  return {
    location,
    list,
    open: async (uid, log, limitBytes) => openLog(folderOf(uid), location(uid, log), root, limitBytes ?? Infinity),
    read,
    async *follow(uid, { choose, goesOn }) {
      const followers = new Map<string, LogFollower>();
      for (;;) {
        const on = await goesOn();
        for (const log of await choose(await list(uid))) {
          const follower = followers.get(log.location) ?? new LogFollower(log.location);
          followers.set(log.location, follower);
          for await (const text of follower.news()) yield { ...log, text };
        }
        if (!on) return;
        await sleep(FOLLOW_MS);
      }
    },
    rename: async (uid, renames) => renameAll(await list(uid), renames, (log) => location(uid, log), root),
  };
}

function listFolder(folder: string, only: string | null): StoredLog[] {
  return names(folder)
    .sort()
    .flatMap((name) => {
      const [, service, step] = NAME.exec(name) ?? [];
      if (service === undefined || step === undefined || (only !== null && service !== only)) return [];
      const location = fileIn(folder, name);
      const found = reading(location, () => statSync(location, { throwIfNoEntry: false }));
      // One that is being renamed just now is listed under its new name the next time.
      return found === undefined
        ? []
        : [{ service, step, location, bytes: found.size, modifiedAt: found.mtime.getTime() }];
    });
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return []; // no program has run yet
    throw cannotRead(folder, error);
  }
}

function openLog(folder: string, path: string, root: string, limitBytes: number): LogWriter {
  let [file, size] = writing(path, root, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return appendTo(path);
  });
  return {
    append(text) {
      const bytes = Buffer.from(text);
      writing(path, root, () => {
        writeAll(file, bytes);
        size += bytes.length;
        if (size <= limitBytes) return;
        cutLog(path, limitBytes);
        closeSync(file);
        [file, size] = appendTo(path);
      });
    },
    close: async () => {
      closeSync(file);
    },
  };
}

/** @returns the open file and its size in bytes. */
function appendTo(path: string): [file: number, size: number] {
  const file = openSync(path, "a", 0o600);
  return [file, fstatSync(file).size];
}

async function* readRange(
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Buffer> {
  if (to <= from) return;
  try {
    yield* createReadStream(path, { start: from, end: to - 1 }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/** Names may be exchanged, so each log first leaves its old one. */
async function renameAll(
  logs: readonly StoredLog[],
  renames: readonly { readonly from: string; readonly to: string }[],
  location: (log: LogName) => string,
  root: string,
): Promise<void> {
  const moving = renames.flatMap(({ from, to }) =>
    logs.filter(({ service }) => service === from).map(({ step }) => [from, to].map((service) => ({ service, step }))),
  );
  const paths = moving.map((pair) => pair.map(location) as [string, string]);
  for (const [from] of paths)
    writing(from, root, () => {
      renameSync(from, `${from}.moving`);
    });
  for (const [from, to] of paths) await append(`${from}.moving`, to, root);
}

/** An earlier service of that name may have left a log there: what is told of a name is told in one file. */
async function append(from: string, to: string, root: string): Promise<void> {
  const target = writing(to, root, () => openSync(to, "a", 0o600));
  try {
    for await (const chunk of createReadStream(from) as AsyncIterable<Buffer>)
      writing(to, root, () => {
        writeAll(target, chunk);
      });
  } finally {
    closeSync(target);
  }
  writing(from, root, () => {
    rmSync(from);
  });
}

function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function writing<T>(path: string, root: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw cannotWrite(path, root, error);
  }
}
