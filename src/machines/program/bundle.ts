/** Packs a program and its files into a tar file. Equal input gives identical bytes, on every computer and at any time. */
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import { BL_SCRIPT } from "../coordination/bl.js";
import { type BundleEntry, StagingSourceError } from "./bundleEntry.js";
import { readArchive } from "./archive.js";
import { readFolder, readPath } from "./folder.js";

/** A bundle that is kept somewhere. */
export interface Bundle {
  /** Of its content, in hexadecimal: what it is named after. */
  readonly sha256: string;
  /** Size of the tar file in bytes. */
  readonly size: number;
  /** The program's name in the bundle, or null without a program. */
  readonly entry: string | null;
  /** Opens it to be read from its beginning. @throws an error whose message names it when it cannot be. */
  open(): Promise<Readable>;
}

/** A bundle that is not stored yet. */
export interface NewBundle {
  /** The name of the program in it, or null without one. */
  readonly entry: string | null;
  /**
   * The tar file, generated while it is read. Reading throws `StagingSourceError` if a file changes meanwhile.
   */
  readonly content: AsyncIterable<Buffer>;
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
 * Collects the files of a bundle; the tar file is generated while it is read.
 * @throws StagingSourceError for what cannot be packed: missing files, link loops, sockets, devices, duplicate names,
 *   paths that leave an archive.
 */
export async function packBundle(source: BundleSource): Promise<NewBundle> {
  const { entries, entry } = await collect(source);
  return { entry, content: tarOf(entries) };
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
    // Those of files and folders were read when the plan was checked.
    if ("content" in main) checkFirstLine(program.path, main.content);
    found.set(entry, { ...main, mode: 0o755 });
  }
  const entries = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, entry };
}

/** @throws StagingSourceError for a program that machines would run by the wrong interpreter, or by none */
function checkFirstLine(archive: string, content: Buffer): void {
  const line = content.toString("latin1", 0, Math.min(content.indexOf(10) + 1 || content.length, 256));
  if (line.startsWith("\u00ef\u00bb\u00bf"))
    throw new StagingSourceError(
      `${archive}: its run.sh begins with a byte order mark, so machines would not run it by its interpreter: ` +
        "save it as UTF-8 without BOM",
    );
  if (line.startsWith("#!") && line.endsWith("\r\n"))
    throw new StagingSourceError(
      `${archive}: the first line of its run.sh ends in CR LF (Windows), so machines cannot run it: ` +
        "save it with LF line endings",
    );
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

async function* tarOf(entries: readonly BundleEntry[]): AsyncGenerator<Buffer> {
  const tar = pack();
  let failure: unknown = null;
  const filled = fill(tar, entries).catch((error: unknown) => {
    failure ??= error;
    tar.destroy(error as Error);
  });
  try {
    for await (const chunk of tar) yield chunk as Buffer;
    await filled;
  } catch (error) {
    throw failure ?? error;
  } finally {
    tar.destroy(new Error("nobody reads on"));
  }
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
  const file = createReadStream(path);
  const failed = new Promise<never>((_, reject) => {
    member.on("error", (cause) => {
      reject(new StagingSourceError(`${path} changed while it was read: ${cause.message}`, { cause }));
    });
  });
  const copied = (async () => {
    for await (const chunk of file) if (!member.write(chunk)) await once(member, "drain");
    const closed = once(member, "close");
    member.end(null);
    await closed;
  })();
  try {
    await Promise.race([copied, failed]);
  } finally {
    file.destroy();
  }
}

export { StagingSourceError };
