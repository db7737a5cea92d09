/**
 * Sparse files in a tar archive, in GNU tar's format 1.0: the content of the member begins with a map, which says where
 * the data that follows belongs in the file. The rest of the file are holes.
 * https://www.gnu.org/software/tar/manual/html_node/PAX-1.html
 */

/** A piece of data in the file, in bytes. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface SparseContent {
  readonly extents: readonly Extent[];
  /** The map as it stands in the archive, padded to a whole number of blocks. */
  readonly map: Buffer;
  /** The data of all extents, in order. */
  readonly data: AsyncIterable<Buffer>;
}

const BLOCK = 512;
/** The largest map, in bytes: some 100,000 extents. */
const LARGEST_MAP = 4_194_304;
const ZEROS = Buffer.alloc(65_536);

/** A map that contradicts itself or its file. */
export class SparseMapError extends Error {
  override readonly name = "SparseMapError";
}

/**
 * Reads the map from the content of a member.
 * @param sizes the bytes of the member in the archive, and of the file with its holes.
 * @throws SparseMapError, and the errors of reading the content.
 */
export async function readSparse(
  content: AsyncIterable<Buffer>,
  sizes: { readonly packed: number; readonly real: number },
): Promise<SparseContent> {
  const source = content[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const extents = parse(held);
    if (extents !== null) {
      const map = held.subarray(0, extents.bytes);
      check(extents.list, sizes.packed - map.length, sizes.real);
      return { extents: extents.list, map, data: after(held.subarray(map.length), source) };
    }
    if (held.length > LARGEST_MAP) throw new SparseMapError("the map of a sparse file is too long");
    // The map is parsed again only when it has doubled.
    const chunks = [held];
    for (let more = 0; more <= held.length;) {
      const next = await source.next();
      if (next.done === true) throw new SparseMapError("the map of a sparse file breaks off");
      chunks.push(next.value);
      more += next.value.length;
      if (held.length === 0) break;
    }
    held = Buffer.concat(chunks);
  }
}

/** The file, with zeros in its holes. */
export async function* expand({ extents, data }: SparseContent, real: number): AsyncGenerator<Buffer> {
  const source = data[Symbol.asyncIterator]();
  let chunk: Buffer = Buffer.alloc(0);
  let at = 0;
  for (const { offset, length } of extents) {
    yield* zeros(offset - at);
    for (let left = length; left > 0;) {
      if (chunk.length === 0) {
        const next = await source.next();
        if (next.done === true) throw new SparseMapError("a sparse file breaks off");
        chunk = next.value;
      }
      const taken = chunk.subarray(0, left);
      chunk = chunk.subarray(taken.length);
      left -= taken.length;
      yield taken;
    }
    at = offset + length;
  }
  yield* zeros(real - at);
}

function* zeros(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}

async function* after(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** A number of extents, then offset and length of each, every number on a line. Null: the map goes on. */
function parse(held: Buffer): { readonly list: Extent[]; readonly bytes: number } | null {
  let at = 0;
  const next = (): number | null => {
    const end = held.indexOf(10, at);
    if (end < 0) {
      if (held.length - at > 20) throw new SparseMapError("the map of a sparse file is damaged");
      return null;
    }
    const value = end - at > 16 ? NaN : Number(held.toString("latin1", at, end) || "x");
    if (!Number.isSafeInteger(value) || value < 0) throw new SparseMapError("the map of a sparse file is damaged");
    at = end + 1;
    return value;
  };
  const count = next();
  if (count === null) return null;
  const list: Extent[] = [];
  while (list.length < count) {
    const offset = next();
    const length = offset === null ? null : next();
    if (offset === null || length === null) return null;
    list.push({ offset, length });
  }
  const bytes = Math.ceil(at / BLOCK) * BLOCK;
  return bytes > held.length ? null : { list, bytes };
}

function check(extents: readonly Extent[], packed: number, real: number): void {
  let [at, sum] = [0, 0];
  for (const { offset, length } of extents) {
    if (offset < at) throw new SparseMapError("the map of a sparse file is not in order");
    at = offset + length;
    sum += length;
  }
  if (sum !== packed || at > real) throw new SparseMapError("the map of a sparse file does not fit its data");
}
