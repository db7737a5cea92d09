/**
 * A program and its files as one tar file, named after its content: equal input gives the same file, whoever makes it
 * and when.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { BL_SCRIPT } from "../coordination/bl.js";
import { type BundleEntry, StagingSourceError } from "./bundleEntry.js";
import { readArchive } from "./archive.js";
import { readFolder, readPath } from "./folder.js";

export interface Bundle {
  /** The tar file's absolute or given path, `<sha256>.tar`. */
  readonly path: string;
  readonly sha256: string;
  /** Bytes of the tar file. */
  readonly size: number;
  /** The name of the program in it, or null without one. */
  readonly entry: string | null;
}

export interface BundleSource {
  /** A file, a folder with run.sh, a .tar.gz of one, or none. */
  readonly program: { readonly kind: "file" | "folder" | "archive"; readonly path: string } | null;
  /** Files and folders that lie beside the program under their base names. */
  readonly files: readonly string[];
}

/** Any fixed time does; tar on some machines warns of one before 1980 or in the future. */
const MTIME = new Date(Date.UTC(2000, 0, 1));

/**
 * Writes `<sha256>.tar` (mode 0600) to `targetDirectory`, or finds it there. Throws `StagingSourceError` for what
 * cannot be bundled: missing files, loops of links, sockets and devices, two things of one name, paths that lead out.
 */
export async function writeBundle(source: BundleSource, targetDirectory: string): Promise<Bundle> {
  const { entries, entry } = await collect(source);
  await mkdir(targetDirectory, { recursive: true, mode: 0o700 });
  const temporary = join(targetDirectory, `.${randomUUID()}.tar`);
  try {
    const { sha256, size } = await writeTar(entries, temporary);
    const path = join(targetDirectory, `${sha256}.tar`);
    if (!(await exists(path))) await rename(temporary, path);
    return { path, sha256, size, entry };
  } finally {
    await rm(temporary, { force: true });
  }
}

async function collect(source: BundleSource): Promise<{ entries: BundleEntry[]; entry: string | null }> {
  const found = new Map<string, BundleEntry>();
  const program = source.program;
  const entry = program === null ? null : program.kind === "file" ? basename(program.path) : "run.sh";
  if (program !== null) add(found, await readProgram(program), program.path);
  for (const file of source.files) add(found, await readPath(file), file);
  if (program !== null && entry !== null) {
    const main = found.get(entry);
    if (main?.kind !== "file") throw new StagingSourceError(`${program.path} has no run.sh`);
    found.set(entry, { ...main, mode: 0o755 });
  }
  const entries = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, entry };
}

async function readProgram(program: NonNullable<BundleSource["program"]>): Promise<BundleEntry[]> {
  switch (program.kind) {
    case "file":
      return readPath(program.path, { onlyFile: true });
    case "folder":
      return readFolder(program.path);
    case "archive":
      return readArchive(program.path);
  }
}

function add(found: Map<string, BundleEntry>, entries: readonly BundleEntry[], from: string): void {
  for (const entry of entries) {
    if (entry.name === ".bl" || entry.name.startsWith(".bl/"))
      throw new StagingSourceError(`${from}: the name .bl is bootlevel's own; rename it`);
    const earlier = found.get(entry.name);
    if (earlier !== undefined && !(earlier.kind === "directory" && entry.kind === "directory")) {
      throw new StagingSourceError(`${from}: there are two things with the name ${entry.name} beside the program`);
    }
    found.set(entry.name, entry);
  }
}

async function writeTar(entries: readonly BundleEntry[], path: string): Promise<{ sha256: string; size: number }> {
  const tar = pack();
  const hash = createHash("sha256");
  let size = 0;
  tar.on("data", (data) => {
    const chunk = data as Buffer;
    hash.update(chunk);
    size += chunk.length;
  });
  const written = pipeline(tar, createWriteStream(path, { mode: 0o600, flags: "wx" }));
  const filled = fill(tar, entries).catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  // Of two errors the source's is the cause.
  const [source, target] = await Promise.allSettled([filled, written]);
  if (source.status === "rejected") throw source.reason;
  if (target.status === "rejected") throw target.reason;
  return { sha256: hash.digest("hex"), size };
}

async function fill(tar: Pack, entries: readonly BundleEntry[]): Promise<void> {
  for (const entry of entries) {
    const header = { name: entry.name, mode: entry.mode, mtime: MTIME, uid: 0, gid: 0 };
    if (entry.kind === "directory") tar.entry({ ...header, type: "directory" });
    else if ("content" in entry) tar.entry({ ...header, type: "file" }, entry.content);
    else await copyFile(tar, { ...header, type: "file", size: entry.size }, entry.path);
  }
  tar.entry({ name: ".bl/bin/bl", mode: 0o755, mtime: MTIME, uid: 0, gid: 0 }, BL_SCRIPT);
  // The last member: where it is, nothing was cut off.
  tar.entry({ name: ".bl/staged", mode: 0o600, mtime: MTIME, uid: 0, gid: 0 }, "");
  tar.finalize();
}

async function copyFile(tar: Pack, header: Parameters<Pack["entry"]>[0], path: string): Promise<void> {
  const member = tar.entry(header);
  const failed = new Promise<never>((_, reject) => {
    member.on("error", (cause) => {
      reject(new StagingSourceError(`${path} changed while it was read: ${cause.message}`, { cause }));
    });
  });
  const copied = (async () => {
    for await (const chunk of createReadStream(path)) if (!member.write(chunk)) await once(member, "drain");
    const closed = once(member, "close");
    member.end(null);
    await closed;
  })();
  await Promise.race([copied, failed]);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

export { StagingSourceError };
