/**
 * A growing set of patterns to search for. Adding one must not rebuild everything: sets of similar size are merged, so
 * that each pattern is built into a few automata only, and a search passes over a few.
 */
import { Automaton, type Found } from "./automaton.js";

interface Tier {
  readonly patterns: readonly Uint8Array[];
  readonly automaton: Automaton;
}

/** A tier is merged with the one before it unless that one is so many times larger. */
const GROWTH = 4;

export class Patterns {
  /** The length of the shortest pattern, in bytes. */
  shortest = Infinity;
  private readonly known = new Set<string>();
  private fresh: Uint8Array[] = [];
  private readonly tiers: Tier[] = [];

  add(pattern: Uint8Array): void {
    const key = Buffer.from(pattern.buffer, pattern.byteOffset, pattern.length).toString("latin1");
    if (pattern.length === 0 || this.known.has(key)) return;
    this.known.add(key);
    this.fresh.push(Uint8Array.from(pattern));
    this.shortest = Math.min(this.shortest, pattern.length);
  }

  /** Like `Automaton.scan`. */
  scan(bytes: Uint8Array, found: Found): number {
    this.build();
    let open = 0;
    for (const { automaton } of this.tiers) open = Math.max(open, automaton.scan(bytes, found));
    return open;
  }

  private build(): void {
    if (this.fresh.length === 0) return;
    let patterns: Uint8Array[] = this.fresh;
    this.fresh = [];
    for (;;) {
      const before = this.tiers.at(-1);
      if (before === undefined || before.patterns.length > GROWTH * patterns.length) break;
      patterns = [...before.patterns, ...patterns];
      this.tiers.pop();
    }
    this.tiers.push({ patterns, automaton: new Automaton(patterns) });
  }
}
