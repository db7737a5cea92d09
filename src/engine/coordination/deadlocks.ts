/**
 * Detects deadlocks: programs that wait for each other in a cycle. A waiting service may still make progress in another
 * program, so a cycle is first reported, and only its waits without a timeout are ended.
 */
import { groupBy } from "../run/lists.js";
import { BL_EXIT, refusal } from "./replies.js";
import { cycleThrough, describeCycle, type WaitCycle, type Edge } from "./waitCycles.js";
import type { Progress } from "./progress.js";
import type { Wait, WaitQueue } from "./waitQueue.js";

/**
 * A cycle is reported after the first time, and its waits without a timeout are ended after the second; milliseconds.
 */
const REPORTED_AFTER_MS = 2_000;
const ENDED_AFTER_MS = 30_000;

/**
 * How many waits one search examines; those without a timeout first, since only they have to be ended. Thousands of
 * waits at one barrier would keep the launcher busy otherwise: each waits for everybody who is missing.
 */
const MOST_EXAMINED = 500;

type Edges = (node: string) => readonly Edge[];

export class Deadlocks {
  private timer: NodeJS.Timeout | null = null;
  /** Services in a cycle that was reported and still exists. */
  private reported = new Set<string>();
  /** Since when each wait without a timeout has been in a cycle. */
  private since = new Map<Wait, number>();
  /** Cycles that ended because one wait ended, as text. The other waits mention it when they end. */
  private readonly broken = new WeakMap<Wait, string>();

  constructor(
    private readonly waits: WaitQueue,
    private readonly progress: Progress,
    private readonly warn: (message: string) => void,
  ) {}

  /** Explains a timeout: the cycle that the wait is in, or was in until another wait ended; null without one. */
  explain(wait: Wait): string | null {
    const circle = this.breakAt(wait);
    return circle === null ? this.explainBroken(wait) : `deadlock: ${circle}`;
  }

  /** The cycle that the wait was in until another of its waits ended; null without one. */
  explainBroken(wait: Wait): string | null {
    const circle = this.broken.get(wait);
    return circle === undefined ? null : `this was a deadlock until one of its waits ended: ${circle}`;
  }

  /** The cycle of a wait that ends now, as text; null without one. */
  private breakAt(ending: Wait): string | null {
    const circle = cycleOf(ending, this.edges());
    if (circle === null) return null;
    const words = describeCycle(circle);
    const next = new Map(circle.map(({ from, to }) => [from, to]));
    for (const wait of this.waits.all()) {
      const to = next.get(wait.service);
      if (to !== undefined && wait.dependencies().some((edge) => edge.to === to)) this.broken.set(wait, words);
    }
    return words;
  }

  /** Schedules a search: programs have begun to wait, or a service that they may wait for has stopped. */
  scheduleSearch(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.search();
    }, REPORTED_AFTER_MS).unref();
  }

  private search(): void {
    const edges = this.edges();
    const all = [...this.waits.all()];
    const looked = [
      ...all.filter(({ timeoutMs }) => timeoutMs === null),
      ...all.filter(({ timeoutMs }) => timeoutMs !== null),
    ].slice(0, MOST_EXAMINED);
    const circles = looked.flatMap((wait) => {
      const circle = cycleOf(wait, edges);
      return circle === null ? [] : [{ wait, circle }];
    });
    this.report(circles.map(({ circle }) => circle));
    const now = performance.now();
    // A wait with a timeout ends by itself.
    const endless = circles.flatMap(({ wait }) => (wait.timeoutMs === null ? [wait] : []));
    this.since = new Map(endless.map((wait) => [wait, this.since.get(wait) ?? now]));
    this.endOld(now);
    if (endless.length > 0) this.scheduleSearch();
  }

  /** Cycles that share a service are reported once. */
  private report(circles: readonly WaitCycle[]): void {
    const standing = new Set(circles.flat().map(({ from }) => from));
    this.reported = new Set([...this.reported].filter((name) => standing.has(name)));
    for (const circle of circles) {
      if (!circle.some(({ from }) => this.reported.has(from))) this.warn(`deadlock: ${describeCycle(circle)}`);
      for (const { from } of circle) this.reported.add(from);
    }
  }

  /** Ending one wait breaks the cycle. Whoever waits for its service learns the outcome. */
  private endOld(now: number): void {
    for (const [old, since] of this.since) {
      const circle = now - since < ENDED_AFTER_MS ? null : this.breakAt(old);
      if (circle === null) continue;
      this.waits.endWhere((wait) =>
        wait === old
          ? refusal(BL_EXIT.timedOut, `waited for ${wait.what}, which cannot come because of a deadlock: ${circle}`)
          : null,
      );
    }
  }

  private edges(): Edges {
    const byService = groupBy([...this.waits.all()], ({ service }) => service);
    return (node) => [
      ...(byService.get(node) ?? []).flatMap((wait) => wait.dependencies()),
      ...this.progress.edges(node),
    ];
  }
}

/** The cycle that begins with this wait. Other waits of its program are not followed. */
function cycleOf(wait: Wait, edges: Edges): WaitCycle | null {
  return cycleThrough(wait.service, wait.dependencies(), edges);
}
