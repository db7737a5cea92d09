/** Parses headers of a tar archive that a machine sends. Trusts none of their fields. */

/** A tar archive consists of blocks of this many bytes. */
export const BLOCK = 512;

/** "other": what is no file, folder or link, such as a device. */
export type MemberType = "file" | "directory" | "symlink" | "link" | "other";

export interface TarHeader {
  /** As the machine's tar wrote it. It may point anywhere. */
  readonly name: string;
  readonly type: MemberType;
  /** The bytes of content in the archive. */
  readonly size: number;
  readonly mode: number;
  readonly mtime: Date;
  /** The target of a link; otherwise "". */
  readonly linkname: string;
  /**
   * For a sparse file (GNU tar's format 1.0): its bytes on the machine, holes included. Its content then begins with a
   * map of its data. Otherwise null.
   */
  readonly sparseSize: number | null;
}

/** A header block. `extension`: the content describes the next member (a long name, pax records), or all others. */
export interface RawHeader extends TarHeader {
  readonly extension: "name" | "linkname" | "pax" | "ignored" | null;
}

/** The archive is damaged, or none. */
export class TarDamage extends Error {
  override readonly name = "TarDamage";
}

const LATEST_MS = 8.64e15;
const CHECKSUM = { from: 148, to: 156 };
const EXTENSIONS: Readonly<Record<string, RawHeader["extension"]>> = {
  L: "name",
  K: "linkname",
  x: "pax",
  g: "ignored",
};
const TYPES: Readonly<Record<string, MemberType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "5": "directory",
};

/** @returns null for a block of zeros: the archive's end. @throws TarDamage */
export function parseHeader(block: Buffer): RawHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  if (checksum(block) !== number(block, CHECKSUM.from, 8)) throw new TarDamage("it is no tar archive");
  const flag = block.toString("latin1", 156, 157);
  const ustar = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = ustar ? text(block, 345, 155) : "";
  const short = text(block, 0, 100);
  const name = prefix === "" ? short : `${prefix}/${short}`;
  const type = TYPES[flag] ?? "other";
  return {
    name,
    // Old tars mark a folder by its name only.
    type: type === "file" && name.endsWith("/") ? "directory" : type,
    size: type === "directory" || type === "symlink" || type === "link" ? 0 : number(block, 124, 12),
    mode: number(block, 100, 8) & 0o7777,
    mtime: new Date(Math.min(number(block, 136, 12) * 1000, LATEST_MS)),
    linkname: text(block, 157, 100),
    sparseSize: null,
    extension: EXTENSIONS[flag] ?? null,
  };
}

/** Applies pax records to a header. Unknown records are ignored. @throws TarDamage */
export function withPax(header: TarHeader, content: Buffer): TarHeader {
  const records = paxRecords(content);
  const size = records.get("size");
  const sparse = records.get("GNU.sparse.major") === "1" ? records.get("GNU.sparse.realsize") : undefined;
  return {
    ...header,
    name: records.get("GNU.sparse.name") ?? records.get("path") ?? header.name,
    linkname: records.get("linkpath") ?? header.linkname,
    size: size === undefined || header.type !== "file" ? header.size : decimal(size),
    sparseSize: sparse === undefined || header.type !== "file" ? null : decimal(sparse),
  };
}

const USED = new Set(["path", "linkpath", "size", "GNU.sparse.major", "GNU.sparse.name", "GNU.sparse.realsize"]);

/** Records are `LENGTH KEY=VALUE\n`; the length counts the whole record. */
function paxRecords(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const blank = content.indexOf(32, at);
    const length = blank < 0 || blank - at > 10 ? NaN : decimal(content.toString("latin1", at, blank));
    const end = at + length;
    if (!(length > blank - at + 2) || end > content.length) throw new TarDamage("a pax header is damaged");
    const equals = content.indexOf(61, blank);
    if (equals < 0 || equals >= end) throw new TarDamage("a pax header is damaged");
    const key = content.toString("latin1", blank + 1, equals);
    if (USED.has(key)) records.set(key, content.toString("utf8", equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** The content of a GNU long name: up to the first NUL. */
export function longName(content: Buffer): string {
  return text(content, 0, content.length);
}

function text(block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

/** Octal digits, or a positive binary number after a byte 0x80. @throws TarDamage for a number that is too large */
function number(block: Buffer, from: number, length: number): number {
  const field = block.subarray(from, from + length);
  const value =
    field[0] === 0x80
      ? field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
      : Number.parseInt(/^[ \0]*([0-7]*)[ \0]*$/.exec(field.toString("latin1"))?.[1] || "0", 8);
  if (Number.isSafeInteger(value)) return value;
  throw new TarDamage("a number in a header is too large");
}

function decimal(digits: string): number {
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new TarDamage("a number in a pax header is none");
}

/** The sum of all bytes, with blanks in place of the checksum itself. */
function checksum(block: Buffer): number {
  let sum = 8 * 32;
  block.forEach((byte, at) => {
    if (at < CHECKSUM.from || at >= CHECKSUM.to) sum += byte;
  });
  return sum;
}
