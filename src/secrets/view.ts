/** A reading of a printed text: its bytes, perhaps decoded, and the place of each byte in the printed text. */
export interface View {
  readonly bytes: Uint8Array;
  /** The offset in the printed text where each byte begins; null: the bytes are the printed text. */
  readonly from: Uint32Array | null;
  /** The offset in the printed text after each byte; null with `from`. */
  readonly to: Uint32Array | null;
  /** The offset in the printed text of an unfinished escape at its end; the text's length if there is none. */
  readonly unfinished: number;
}

/** The printed text itself. */
export function plainView(bytes: Uint8Array): View {
  return { bytes, from: null, to: null, unfinished: bytes.length };
}

/** Where byte `index` begins in the printed text. */
export function beginOf({ from }: View, index: number): number {
  return from === null ? index : (from[index] as number);
}

/** Where byte `index` ends in the printed text. */
export function endOf({ to }: View, index: number): number {
  return to === null ? index + 1 : (to[index] as number);
}

/** Collects the bytes of a new view. It can have no more bytes than `capacity`. */
export class ViewBuilder {
  private readonly bytes: Uint8Array;
  private readonly from: Uint32Array;
  private readonly to: Uint32Array;
  private length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.from = new Uint32Array(capacity);
    this.to = new Uint32Array(capacity);
  }

  add(byte: number, from: number, to: number): void {
    this.bytes[this.length] = byte;
    this.from[this.length] = from;
    this.to[this.length] = to;
    this.length += 1;
  }

  build(unfinished: number): View {
    return {
      bytes: this.bytes.subarray(0, this.length),
      from: this.from.subarray(0, this.length),
      to: this.to.subarray(0, this.length),
      unfinished,
    };
  }
}
