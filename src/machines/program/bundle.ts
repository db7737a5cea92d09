/** A program and its files as one tar file: equal input gives the same bytes, whoever makes it and when. */
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
  /** Bytes of the tar file. */
  readonly size: number;
  /** The name of the program in it, or null without one. */
  readonly entry: string | null;
  /** Opens it to be read from its beginning. @throws an error whose message names it when it cannot be. */
  open(): Promise<Readable>;
}

/** A bundle that nobody has kept yet. */
export interface NewBundle {
  /** The name of the program in it, or null without one. */
  readonly entry: string | null;
  /**
   * The tar file, made while it is read. Reading throws `StagingSourceError` for what cannot be bundled after all: a
   * file that changed meanwhile.
   */
  readonly content: AsyncIterable<Buffer>;
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
 * Looks up what belongs into a bundle, and makes it while it is read. Throws `StagingSourceError` for what cannot be
 * bundled: missing files, loops of links, sockets and devices, two things of one name, paths that lead out.
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
  // The last member: where it is, nothing was cut off.
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
