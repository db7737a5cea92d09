/**
 * What goes wrong in a lab, and when: set by a test, changed at any time, the same again for the same seed and the same
 * order of calls.
 */
import type { Rule } from "../moto.js";
import { Buckets } from "./buckets.js";
import type { CapacityLimit } from "./capacity.js";

export interface FaultSettings {
  /** Keeps to Amazon's published rates: `RequestLimitExceeded` when a bucket is empty. */
  readonly buckets: boolean;
  /**
   * Plays Amazon where a ClientToken comes again: the same answer for the same parameters, an error for others. moto
   * heeds none.
   */
  readonly tokens: boolean;
  /** Calls that the chances below concern; null: all. */
  readonly actions: readonly string[] | null;
  /** Chances, from 0 to 1, of what becomes of a call. */
  readonly throttled: number;
  /** Answered with 500 `InternalError` before anything was done. */
  readonly failedBefore: number;
  /** Done, and answered with 500 `InternalError`. */
  readonly failedAfter: number;
  /** The connection is cut before anything was done. */
  readonly lostBefore: number;
  /** Done, and the connection is cut. */
  readonly lostAfter: number;
  /** Answers come up to so many milliseconds late, at random. */
  readonly slowMs: number;
  /**
   * For how long after their launch machines are not shown: `InvalidInstanceID.NotFound` for their ids, missing in
   * filtered answers. Infinity until changed.
   */
  readonly hiddenMs: number;
  /**
   * The chance of a hidden machine to be in a filtered answer nevertheless, drawn for each answer: shown now, hidden
   * again.
   */
  readonly flicker: number;
  /** For how long after their launch machines are said to be pending, without a public address. */
  readonly pendingMs: number;
  /** For how long ended machines are said to be shutting down. */
  readonly endingMs: number;
  /** How long after a machine's start its console's output is given out; until then it is empty. */
  readonly consoleMs: number;
  /** Where there is no room for all machines that are asked for. */
  readonly capacity: readonly CapacityLimit[];
  /** How many machines may live at once, before `VcpuLimitExceeded`; null: any number. */
  readonly quota: number | null;
  /** Whether machines get the user data that was asked for. */
  readonly userData: "given" | "ignored";
  /** Whether new machines outside of subnets get the addresses of ended ones, as soon as there are any. */
  readonly reuseAddresses: boolean;
  /** Decides about each call first; `nth` counts the calls of this action since the rule was set. */
  readonly rule: Rule | null;
}

const NONE: FaultSettings = {
  buckets: false,
  tokens: true,
  actions: null,
  throttled: 0,
  failedBefore: 0,
  failedAfter: 0,
  lostBefore: 0,
  lostAfter: 0,
  slowMs: 0,
  hiddenMs: 0,
  flicker: 0,
  pendingMs: 0,
  endingMs: 0,
  consoleMs: 0,
  capacity: [],
  quota: null,
  userData: "given",
  reuseAddresses: false,
  rule: null,
};

export class Faults {
  private current: FaultSettings = NONE;
  private full: Buckets | null = null;
  private state = 0;
  /** Calls by action since the rule was set. */
  readonly counts = new Map<string, number>();

  constructor(settings: Partial<FaultSettings> = {}, seed = 1) {
    this.seed(seed);
    this.set(settings);
  }

  get settings(): FaultSettings {
    return this.current;
  }

  get buckets(): Buckets | null {
    return this.full;
  }

  /** Changes some settings. Buckets that are switched on are full. */
  set(settings: Partial<FaultSettings>): void {
    if (settings.rule !== undefined) this.counts.clear();
    if (settings.buckets !== undefined) this.full = settings.buckets ? new Buckets() : null;
    this.current = { ...this.current, ...settings };
  }

  /** Nothing goes wrong from now on. */
  clear(): void {
    this.set(NONE);
  }

  /** Begins the chances anew. */
  seed(seed: number): void {
    this.state = seed;
  }

  /** A number from 0 to 1, by the seed (mulberry32). */
  draw(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}
