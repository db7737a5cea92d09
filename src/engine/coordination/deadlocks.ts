/**
 * Finds programs that wait for each other in a circle. That a service waits does not prove that it does nothing else (a
 * program may wait in the background), so a circle is told when it stands, and ends only those of its waits that would
 * never end by themselves.
 */
import { groupBy } from "../run/lists.js";
import { BL_EXIT, refusal } from "./answers.js";
import { circleThrough, circleWords, type WaitCycle, type Edge } from "./waitCycles.js";
import type { Progress } from "./progress.js";
import type { Wait, WaitQueue } from "./waits.js";

/**
 * A circle is told when it has stood so long, and a wait for ever in it ends when it has stood that long; milliseconds.
 */
const TOLD_AFTER_MS = 2_000;
const ENDED_AFTER_MS = 30_000;

/**
 * So many waits are looked at in a look, those for ever first, since only they need to be ended: thousands at one
 * barrier each wait for all that are missing, and the launcher has other things to do.
 */
const MOST_LOOKED_AT = 500;

type Edges = (node: string) => readonly Edge[];

export class Deadlocks {
  private timer: NodeJS.Timeout | null = null;
  /** Who is in a circle that was told, and stands. */
  private told = new Set<string>();
  /** Since when waits for ever have been in a circle. */
  private since = new Map<Wait, number>();
  /** Circles that the end of another wait has broken, in words: whoever was in one is told so when it ends, too. */
  private readonly broken = new WeakMap<Wait, string>();

  constructor(
    private readonly waits: WaitQueue,
    private readonly progress: Progress,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * For the message of a wait whose time is over: the circle that it is in, or was in until another wait ended; null
   * without one.
   */
  why(wait: Wait): string | null {
    const circle = this.breakAt(wait);
    return circle === null ? this.whyBroken(wait) : `this is a circle, in which each waits for the next: ${circle}`;
  }

  /** The circle that a wait was in until another one in it ended; null without one. */
  whyBroken(wait: Wait): string | null {
    const circle = this.broken.get(wait);
    return circle === undefined ? null : `this was a circle until one of its waits ended: ${circle}`;
  }

  /** The circle that a wait is in which ends now, in words; null without one. */
  private breakAt(ending: Wait): string | null {
    const circle = circleOf(ending, this.edges());
    if (circle === null) return null;
    const words = circleWords(circle);
    const next = new Map(circle.map(({ from, to }) => [from, to]));
    for (const wait of this.waits.all()) {
      const to = next.get(wait.service);
      if (to !== undefined && wait.on().some((edge) => edge.to === to)) this.broken.set(wait, words);
    }
    return words;
  }

  /**
   * Looks for circles a moment from now: programs have begun to wait, or somebody for whom they may wait has come to a
   * stop.
   */
  look(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.find();
    }, TOLD_AFTER_MS).unref();
  }

  private find(): void {
    const edges = this.edges();
    const all = [...this.waits.all()];
    const looked = [
      ...all.filter(({ timeoutMs }) => timeoutMs === null),
      ...all.filter(({ timeoutMs }) => timeoutMs !== null),
    ].slice(0, MOST_LOOKED_AT);
    const circles = looked.flatMap((wait) => {
      const circle = circleOf(wait, edges);
      return circle === null ? [] : [{ wait, circle }];
    });
    this.tell(circles.map(({ circle }) => circle));
    const now = performance.now();
    // A wait that would end by itself is left to that.
    const endless = circles.flatMap(({ wait }) => (wait.timeoutMs === null ? [wait] : []));
    this.since = new Map(endless.map((wait) => [wait, this.since.get(wait) ?? now]));
    this.endOld(now);
    if (endless.length > 0) this.look();
  }

  /** Circles that have somebody in common are one knot: one of them is enough to find it by. */
  private tell(circles: readonly WaitCycle[]): void {
    const standing = new Set(circles.flat().map(({ from }) => from));
    this.told = new Set([...this.told].filter((name) => standing.has(name)));
    for (const circle of circles) {
      if (!circle.some(({ from }) => this.told.has(from)))
        this.warn(`programs wait for each other in a circle: ${circleWords(circle)}`);
      for (const { from } of circle) this.told.add(from);
    }
  }

  /** One wait is enough to break a circle; whoever waits for its service learns what became of it. */
  private endOld(now: number): void {
    for (const [old, since] of this.since) {
      const circle = now - since < ENDED_AFTER_MS ? null : this.breakAt(old);
      if (circle === null) continue;
      this.waits.endWhere((wait) =>
        wait === old
          ? refusal(
              BL_EXIT.timedOut,
              `waited for ${wait.what}, which cannot come: programs wait for each other in a circle: ${circle}`,
            )
          : null,
      );
    }
  }

  private edges(): Edges {
    const byService = groupBy([...this.waits.all()], ({ service }) => service);
    return (node) => [...(byService.get(node) ?? []).flatMap((wait) => wait.on()), ...this.progress.edges(node)];
  }
}

/** The circle that begins with this wait: its program may wait for other things beside, which come. */
function circleOf(wait: Wait, edges: Edges): WaitCycle | null {
  return circleThrough(wait.service, wait.on(), edges);
}
