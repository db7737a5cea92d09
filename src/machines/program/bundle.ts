/**
 * Packs a program and its files into a tar file that is named after its content. Equal input gives an identical file,
 * on every computer and at any time.
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
  /** The tar file, `<sha256>.tar`; absolute if `targetDirectory` is. */
  readonly path: string;
  readonly sha256: string;
  /** Size of the tar file in bytes. */
  readonly size: number;
  /** The program's name in the bundle, or null without a program. */
  readonly entry: string | null;
}

export interface BundleSource {
  /** A file, a folder with run.sh, a .tar.gz of such a folder, or null. */
  readonly program: { readonly kind: "file" | "folder" | "archive"; readonly path: string } | null;
  /** Files and folders to place beside the program, under their base names. */
  readonly files: readonly string[];
}

/** Any fixed time works. Some tar versions warn about times before 1980 or in the future. */
const MTIME = new Date(Date.UTC(2000, 0, 1));

/**
 * Writes `<sha256>.tar` (mode 0600) to `targetDirectory` unless it exists.
 * @throws StagingSourceError for what cannot be packed: missing files, link loops, sockets, devices, duplicate names,
 *   paths that leave an archive.
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
      throw new StagingSourceError(`${from}: the name .bl is reserved for bootlevel; rename the file`);
    const earlier = found.get(entry.name);
    if (earlier !== undefined && !(earlier.kind === "directory" && entry.kind === "directory")) {
      throw new StagingSourceError(`${from}: the bundle already contains ${entry.name}; rename one of the two`);
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
  // If both sides fail, the source's error is the cause.
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
  // The last member: if it exists on the machine, the transfer was complete.
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
