/**
 * Finds many patterns in one pass over a text, whatever the patterns and the text are (Aho and Corasick, 1975). Also
 * says how much of the text's end may be the beginning of a pattern.
 */

/** Receives a match: the offset of its first byte, and the offset after its last one. */
export type Found = (begin: number, end: number) => void;

/** A node with more children has a table of them. Others have a list. */
const LISTED_CHILDREN = 6;

export class Automaton {
  /** Nodes are numbers; 0 is the root. */
  private nodes = 1;
  private readonly byte: Uint8Array;
  private readonly child: Int32Array;
  private readonly sibling: Int32Array;
  private readonly children: Uint16Array;
  private readonly tables = new Map<number, Int32Array>();
  /** The node of the longest proper suffix that is in the trie. */
  private readonly fallback: Int32Array;
  /** The length of the longest pattern that ends here; 0 if none does. */
  private readonly match: Uint16Array;
  /** The length of the longest suffix that more text may make a pattern. */
  private readonly open: Uint16Array;

  /** @param patterns not empty, and shorter than 65,536 bytes */
  constructor(patterns: readonly Uint8Array[]) {
    const capacity = patterns.reduce((sum, pattern) => sum + pattern.length, 1);
    this.byte = new Uint8Array(capacity);
    this.child = new Int32Array(capacity);
    this.sibling = new Int32Array(capacity);
    this.children = new Uint16Array(capacity);
    this.fallback = new Int32Array(capacity);
    this.match = new Uint16Array(capacity);
    this.open = new Uint16Array(capacity);
    this.tables.set(0, new Int32Array(256));
    for (const pattern of patterns) this.insert(pattern);
    this.link();
  }

  /**
   * Reports, for each place where a pattern ends, the longest that ends there.
   * @returns how many bytes at the end may be the beginning of a pattern
   */
  scan(bytes: Uint8Array, found: Found): number {
    const root = this.tables.get(0) as Int32Array;
    const { match } = this;
    let node = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      node = node === 0 ? (root[byte] as number) : this.step(node, byte);
      if (node !== 0 && match[node] !== 0) found(at + 1 - (match[node] as number), at + 1);
    }
    return this.open[node] as number;
  }

  private step(from: number, byte: number): number {
    let node = from;
    for (;;) {
      const next = this.find(node, byte);
      if (next !== 0 || node === 0) return next;
      node = this.fallback[node] as number;
    }
  }

  /** The child of a node for a byte; 0 if there is none. */
  private find(node: number, byte: number): number {
    if ((this.children[node] as number) > LISTED_CHILDREN || node === 0)
      return (this.tables.get(node) as Int32Array)[byte] as number;
    let child = this.child[node] as number;
    while (child !== 0 && this.byte[child] !== byte) child = this.sibling[child] as number;
    return child;
  }

  private insert(pattern: Uint8Array): void {
    let node = 0;
    for (const byte of pattern) node = this.find(node, byte) || this.addChild(node, byte);
    this.match[node] = pattern.length;
  }

  private addChild(node: number, byte: number): number {
    const added = this.nodes++;
    this.byte[added] = byte;
    this.sibling[added] = this.child[node] as number;
    this.child[node] = added;
    this.children[node] = (this.children[node] as number) + 1;
    if (this.children[node] === LISTED_CHILDREN + 1 && node !== 0) this.tables.set(node, this.tableOf(node));
    const table = this.tables.get(node);
    if (table !== undefined) table[byte] = added;
    return added;
  }

  private tableOf(node: number): Int32Array {
    const table = new Int32Array(256);
    for (let child = this.child[node] as number; child !== 0; child = this.sibling[child] as number)
      table[this.byte[child] as number] = child;
    return table;
  }

  /** Links each node to its fallback, breadth first. */
  private link(): void {
    const queue = new Int32Array(this.nodes);
    const depth = new Uint16Array(this.nodes);
    let length = 1;
    for (let next = 0; next < length; next += 1) {
      const node = queue[next] as number;
      for (let child = this.child[node] as number; child !== 0; child = this.sibling[child] as number) {
        queue[length++] = child;
        depth[child] = (depth[node] as number) + 1;
        const fallback = node === 0 ? 0 : this.step(this.fallback[node] as number, this.byte[child] as number);
        this.fallback[child] = fallback;
        if (this.match[child] === 0) this.match[child] = this.match[fallback] as number;
      }
      const isOpen = this.child[node] !== 0;
      this.open[node] = (isOpen ? depth[node] : this.open[this.fallback[node] as number]) as number;
    }
  }
}
