/** Redacts a text that arrives in pieces. A secret that two pieces share is found too. */
export const REDACTED = "[secret]";

/** A longer text is searched in pieces, in characters: memory must not grow with it. */
const PIECE = 64 * 1024;

/** The secrets in a text, as offsets in its UTF-8 bytes. */
export interface Secrets {
  /** In no order. They may overlap. */
  readonly spans: [begin: number, end: number][];
  /** From here on, the text may be the beginning of a secret that is not complete. */
  readonly open: number;
}

/** Finds secrets in UTF-8 bytes. */
export interface SecretSearch {
  search(bytes: Uint8Array, whole: boolean): Secrets;
  mayContain(characters: number): boolean;
}

export class RedactingStream {
  /** Text that was not shown yet, because a secret may begin in it. */
  private held = "";
  /** So many characters at its beginning are known to be secret. */
  private secret = 0;
  /** Whether the text that was shown last ends with a secret, which may continue. */
  private inSecret = false;

  constructor(private readonly redactor: SecretSearch) {}

  /** @returns the text that is safe to show so far. */
  push(text: string): string {
    let shown = "";
    for (let at = 0; at < text.length; at += PIECE) {
      this.held += text.slice(at, at + PIECE);
      shown += this.show(false);
    }
    return shown;
  }

  /** @returns the rest. */
  end(): string {
    return this.show(true);
  }

  private show(whole: boolean): string {
    // Half a character cannot be encoded: the other half is to come.
    const ready = whole || !/[\ud800-\udbff]$/.test(this.held) ? this.held : this.held.slice(0, -1);
    const text = new EncodedText(ready);
    const { spans, open } = this.redactor.mayContain(Infinity)
      ? this.redactor.search(text.bytes, whole)
      : { spans: [], open: text.bytes.length };
    const cut = whole ? ready.length : text.indexOf(open);
    const secrets = merged([[0, this.secret], ...spans.map(([begin, end]) => text.span(begin, end))]);
    let shown = "";
    let from = 0;
    this.secret = 0;
    for (const [begin, end] of secrets) {
      if (begin >= cut) break;
      if (begin > from) this.inSecret = false;
      shown += ready.slice(from, begin) + (this.inSecret ? "" : REDACTED);
      this.inSecret = true;
      from = Math.min(end, cut);
      this.secret = Math.max(0, end - cut);
    }
    if (cut > from) this.inSecret = false;
    shown += ready.slice(from, cut);
    this.held = this.held.slice(cut);
    return shown;
  }
}

/** In order, without overlaps. Empty ones are left out. */
function merged(spans: readonly (readonly [begin: number, end: number])[]): [begin: number, end: number][] {
  const result: [number, number][] = [];
  for (const [begin, end] of spans.filter((span) => span[0] < span[1]).sort(([a], [b]) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && begin <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([begin, end]);
  }
  return result;
}

/** A text, its UTF-8 bytes, and how offsets in the bytes become indices in the text. */
class EncodedText {
  readonly bytes: Buffer;
  private indices: Uint32Array | null = null;

  constructor(private readonly text: string) {
    this.bytes = Buffer.from(text, "utf8");
  }

  /** The index of the character at this byte. */
  indexOf(offset: number): number {
    if (this.bytes.length === this.text.length) return offset;
    this.indices ??= this.readIndices();
    return this.indices[offset] as number;
  }

  span(begin: number, end: number): [begin: number, end: number] {
    if (this.bytes.length === this.text.length) return [begin, end];
    // A match may end within a character.
    return [this.indexOf(begin), this.indexOf(end - 1) + this.unitsAt(this.indexOf(end - 1))];
  }

  private unitsAt(index: number): number {
    return (this.text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }

  private readIndices(): Uint32Array {
    const indices = new Uint32Array(this.bytes.length + 1);
    let offset = 0;
    for (let index = 0; index < this.text.length; index += this.unitsAt(index)) {
      const point = this.text.codePointAt(index) as number;
      const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point > 0xffff ? 4 : 3;
      indices.fill(index, offset, offset + size);
      offset += size;
    }
    indices[offset] = this.text.length;
    return indices;
  }
}
