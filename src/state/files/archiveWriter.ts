/**
 * Writes the archive of a report: a .tar.gz in a private file, with a limit, that is well-formed whatever breaks off on
 * the way.
 */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import pTimeout from "p-timeout";
import { pack, type Pack } from "tar-stream";

import { ArchiveError, isArchiveError, LimitError } from "../contract/fileErrors.js";
import type { SparseContent } from "../../files/sparseMap.js";
import type { NewArchive, NewLink, NewMember, ReportManifest } from "../contract/reportArchive.js";
import { headOf } from "./archiveHead.js";
import { cannotWrite } from "./fileErrors.js";

/** A chain of links that is longer is a circle. */
const MOST_HOPS = 40;
/** The maximum number of members, and of bytes of their names: they are held in memory. */
const MOST_MEMBERS = 100_000;
const MOST_NAMES = 16_777_216;
const ZEROS = Buffer.alloc(65_536);

export class ArchiveWriter implements NewArchive {
  /** How many files it holds, and how many bytes they have. */
  files = 0;
  bytes = 0;
  /** Files of which not all came; zeros stand for the rest. */
  readonly brokenOff: string[] = [];
  private readonly names = new Set<string>();
  private readonly links = new Map<string, NewLink>();
  private namesBytes = 0;
  /** How many bytes of files count towards the limit. */
  private counted = 0;
  private readonly tar = pack();
  private readonly file: WriteStream;
  private described: "not" | "written" | { readonly again: ReportManifest } = "not";
  /** How writing the file ended: null, or why it did not work. */
  private readonly written: Promise<ArchiveError | null>;
  /** Aborts with an `ArchiveError` when nothing can be written any more. */
  private readonly broken = new AbortController();

  /**
   * @param path must not exist yet.
   * @param limitBytes of all files together, before they are compressed.
   * @param root what there must be room in, for messages.
   */
  constructor(
    readonly path: string,
    private readonly limitBytes: number,
    protected readonly root = dirname(path),
  ) {
    this.file = createWriteStream(path, { mode: 0o600, flags: "wx", flush: true });
    this.written = pipeline(this.tar, createGzip(), this.file).then(
      () => null,
      (cause: unknown) => {
        const error = asArchiveError(path, root, cause);
        this.broken.abort(error);
        return error;
      },
    );
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  get room(): number {
    return this.limitBytes - this.counted;
  }

  describe(manifest: ReportManifest): void {
    if (this.described !== "not") {
      this.described = { again: manifest };
      return;
    }
    this.described = "written";
    this.files += 1;
    // The file is written in order: all that is packed comes after it.
    this.file.write(headOf(manifest));
  }

  addDirectory({ name, mode, mtime }: NewMember): void {
    if (this.names.has(name)) return;
    this.claim(name);
    this.entry({ name, mode: (mode & 0o777) | 0o700, mtime, uid: 0, gid: 0, type: "directory" });
  }

  /**
   * Adds a file of `size` bytes. One whose content breaks off is filled up with zeros.
   * @throws LimitError, ArchiveError, and what reading the content throws.
   */
  async addFile(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    if (size > this.room) throw new LimitError(member.name, this.limitBytes);
    this.claim(member.name);
    this.counted += size;
    await this.pack(member, size, content);
  }

  async addSparse(
    member: NewMember,
    { packed, real }: { readonly packed: number; readonly real: number },
    { map, data }: SparseContent,
  ): Promise<void> {
    if (packed > this.room) throw new LimitError(member.name, this.limitBytes);
    this.claim(member.name);
    this.counted += packed;
    const pax = {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": member.name,
      "GNU.sparse.realsize": String(real),
    };
    const content = (async function* (): AsyncGenerator<Buffer> {
      yield map;
      yield* data;
    })();
    await this.pack(member, packed, content, pax);
    this.bytes += real - packed;
  }

  async addLog(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    this.names.add(member.name);
    await this.pack(member, size, content);
  }

  /** Notes the name of a new member. @throws LimitError */
  private claim(name: string): void {
    if (this.names.size + this.links.size >= MOST_MEMBERS) throw new LimitError(name, MOST_MEMBERS, "members");
    this.namesBytes += name.length;
    if (this.namesBytes > MOST_NAMES) throw new LimitError(name, MOST_NAMES, "names");
    this.names.add(name);
  }

  private async pack(
    { name, mode, mtime }: NewMember,
    size: number,
    content: AsyncIterable<Buffer>,
    pax?: Readonly<Record<string, string>>,
  ): Promise<void> {
    this.files += 1;
    this.bytes += size;
    const sink = this.entry({
      name,
      mode: (mode & 0o777) | 0o600,
      mtime,
      uid: 0,
      gid: 0,
      type: "file",
      size,
      ...(pax && { pax }),
    });
    let left = size;
    let failure: Error | null = null;
    try {
      for await (const chunk of content) {
        const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
        left -= part.length;
        await this.write(sink, part);
        if (left === 0) break;
      }
    } catch (error) {
      if (isArchiveError(error)) throw error;
      failure = error as Error;
    }
    if (left > 0) this.brokenOff.push(name);
    for (; left > 0; left -= Math.min(left, ZEROS.length))
      await this.write(sink, ZEROS.subarray(0, Math.min(left, ZEROS.length)));
    const closed = once(sink, "close");
    sink.end(null);
    await this.unlessBroken(closed);
    if (failure !== null) throw failure;
  }

  async addText(name: string, text: string, mtime: Date): Promise<void> {
    const content = Buffer.from(text);
    await this.addFile({ name, mode: 0o600, mtime }, content.length, Readable.from([content]) as AsyncIterable<Buffer>);
  }

  /** Remembers a link, which is written at the end: so no file of the archive can ever be unpacked through one. */
  addLink(link: NewLink): void {
    if (this.links.has(link.name)) return;
    if (this.names.size + this.links.size >= MOST_MEMBERS) throw new LimitError(link.name, MOST_MEMBERS, "members");
    this.namesBytes += link.name.length + link.target.length + (link.written?.length ?? 0);
    if (this.namesBytes > MOST_NAMES) throw new LimitError(link.name, MOST_NAMES, "names");
    this.links.set(link.name, link);
  }

  /**
   * Writes the links that lead to something in the archive, and closes it. @returns the labels of those that do not.
   * @throws ArchiveError
   */
  async finish(): Promise<string[]> {
    const idle: string[] = [];
    for (const { name, label, target, written, mtime } of this.links.values()) {
      if (this.names.has(name)) continue;
      if (!this.leadsSomewhere(target)) idle.push(label);
      else
        this.entry({
          name,
          mode: 0o777,
          mtime,
          uid: 0,
          gid: 0,
          ...(written === null ? { type: "link", linkname: target } : { type: "symlink", linkname: written }),
        });
    }
    this.tar.finalize();
    const error = await this.written;
    if (error !== null) throw error;
    await this.describeAgain();
    return idle;
  }

  private async describeAgain(): Promise<void> {
    if (typeof this.described === "string") return;
    try {
      const file = await open(this.path, "r+");
      try {
        await file.write(headOf(this.described.again), 0, undefined, 0);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw asArchiveError(this.path, this.root, cause);
    }
  }

  private leadsSomewhere(target: string): boolean {
    let current: string | undefined = target;
    for (let hops = 0; current !== undefined && hops < MOST_HOPS; hops += 1) {
      if (this.names.has(current)) return true;
      const name: string = current;
      current = this.links.get(name)?.target;
    }
    return false;
  }

  /** Stops writing, and lets go of the file, which is left as it is. */
  async abandon(): Promise<void> {
    this.tar.destroy(new ArchiveError("abandoned"));
    await this.written;
  }

  private entry(header: Parameters<Pack["entry"]>[0]): ReturnType<Pack["entry"]> {
    const sink = this.tar.entry(header);
    // When the file cannot be written, this one is destroyed too. `written` tells why.
    sink.on("error", () => undefined);
    return sink;
  }

  private async write(sink: ReturnType<Pack["entry"]>, chunk: Buffer): Promise<void> {
    this.broken.signal.throwIfAborted();
    if (!sink.write(chunk)) await this.unlessBroken(once(sink, "drain"));
  }

  private async unlessBroken(work: Promise<unknown>): Promise<void> {
    await pTimeout(work, { milliseconds: Infinity, signal: this.broken.signal });
  }
}

function asArchiveError(path: string, root: string, cause: unknown): ArchiveError {
  if (isArchiveError(cause)) return cause;
  const { message, remedy } = cannotWrite(path, root, cause);
  return new ArchiveError(message, remedy, { cause });
}
