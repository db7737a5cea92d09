/**
 * Reads a tar archive that a machine sends, member by member. No member is held in memory. Headers have limits: a
 * machine must not fill the launcher's memory, or keep it busy, with names and records.
 */
import { setImmediate as turn } from "node:timers/promises";

import { BLOCK, longName, parseHeader, TarDamage, withPax, type RawHeader, type TarHeader } from "./tarHeader.js";

/** The largest header that extends another one, in bytes. A path has at most 4,096. */
const LARGEST_EXTENSION = 65_536;
/** The most such headers of one member. */
const MOST_EXTENSIONS = 8;
/** After this many members without a pause, other work of the launcher gets its turn. */
const TURN = 128;

export interface TarMember {
  readonly header: TarHeader;
  /** What is not read of it is passed over. Throws `TarDamage` if the archive breaks off. */
  readonly content: AsyncIterable<Buffer>;
}

/**
 * The members of an archive, up to its end mark. The bytes after the mark are not read.
 * @throws TarDamage if the data is no archive, or breaks off; and the errors of `source`.
 */
export async function* readTar(source: AsyncIterator<Buffer>): AsyncGenerator<TarMember> {
  const bytes = new ByteReader(source);
  for (let count = 1; ; count += 1) {
    const header = await nextHeader(bytes);
    if (header === null) return;
    const content = new MemberContent(bytes, header.size);
    yield { header, content };
    await content.skip();
    if (count % TURN === 0) await turn();
  }
}

async function nextHeader(bytes: ByteReader): Promise<TarHeader | null> {
  let [name, linkname, pax]: [string | null, string | null, Buffer | null] = [null, null, null];
  for (let extensions = 0; extensions <= MOST_EXTENSIONS; extensions += 1) {
    const raw = await nextBlock(bytes);
    if (raw === null) return null;
    const { extension, ...header } = raw;
    if (extension === null) {
      const long = { ...header, name: name ?? header.name, linkname: linkname ?? header.linkname };
      return pax === null ? long : withPax(long, pax);
    }
    if (header.size > LARGEST_EXTENSION) throw new TarDamage(`a header has more than ${LARGEST_EXTENSION} bytes`);
    const content = await bytes.exactly(padded(header.size));
    if (extension === "name") name = longName(content);
    else if (extension === "linkname") linkname = longName(content);
    else if (extension === "pax") pax = content.subarray(0, header.size);
  }
  throw new TarDamage(`a member has more than ${MOST_EXTENSIONS} headers`);
}

async function nextBlock(bytes: ByteReader): Promise<RawHeader | null> {
  if (await bytes.ended()) throw new TarDamage("it breaks off");
  return parseHeader(await bytes.exactly(BLOCK));
}

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

/** The content of one member. */
class MemberContent implements AsyncIterable<Buffer> {
  #left: number;
  readonly #padding: number;

  constructor(
    private readonly bytes: ByteReader,
    size: number,
  ) {
    this.#left = size;
    this.#padding = padded(size) - size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      const chunk = await this.bytes.atMost(this.#left);
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  /** Passes over the rest, and the padding after it. */
  async skip(): Promise<void> {
    for await (const chunk of this) void chunk;
    await this.bytes.exactly(this.#padding);
  }
}

/** Takes numbers of bytes from a stream of chunks. All methods throw `TarDamage` at its end. */
class ByteReader {
  #chunk: Buffer = Buffer.alloc(0);

  constructor(private readonly source: AsyncIterator<Buffer>) {}

  async ended(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Up to `limit` bytes, at least one. */
  async atMost(limit: number): Promise<Buffer> {
    if (!(await this.#fill())) throw new TarDamage("it breaks off");
    const taken = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  /** Exactly `size` bytes: few, since they are held. */
  async exactly(size: number): Promise<Buffer> {
    const taken = Buffer.alloc(size);
    for (let filled = 0; filled < size;) filled += (await this.atMost(size - filled)).copy(taken, filled);
    return taken;
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.source.next();
      if (next.done === true) return false;
      this.#chunk = next.value;
    }
    return true;
  }
}
