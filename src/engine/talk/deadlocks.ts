/**
 * Finds programs that wait for each other in a circle. That a service waits does not prove that it does nothing else (a program may wait in the
 * background), so a circle is told when it stands, and ends only those of its waits that would never end by themselves.
 */
import { groupBy } from "../run/lists.js";
import { CODE, refusal } from "./answers.js";
import { circleThrough, circleWords, type Circle, type Edge } from "./circles.js";
import type { Progress } from "./progress.js";
import type { Wait, Waits } from "./waits.js";

/** A circle is told when it has stood so long, and a wait for ever in it ends when it has stood that long; milliseconds. */
const TOLD_AFTER_MS = 2_000;
const ENDED_AFTER_MS = 30_000;

/**
 * So many waits are looked at in a look, those for ever first, since only they need to be ended: thousands at one barrier each wait for all that
 * are missing, and the launcher has other things to do.
 */
const MOST_LOOKED_AT = 500;

type Edges = (node: string) => readonly Edge[];

export class Deadlocks {
  private timer: NodeJS.Timeout | null = null;
  /** Who is in a circle that was told, and stands. */
  private told = new Set<string>();
  /** Since when waits for ever have been in a circle. */
  private since = new Map<Wait, number>();

  constructor(private readonly waits: Waits, private readonly progress: Progress, private readonly warn: (message: string) => void) {}

  /** The circle that a wait is in, in words; null without one. */
  words(wait: Wait): string | null {
    const circle = circleOf(wait, this.edges());
    return circle === null ? null : circleWords(circle);
  }

  /** Looks for circles a moment from now: programs have begun to wait, or somebody for whom they may wait has come to a stop. */
  look(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.find();
    }, TOLD_AFTER_MS).unref();
  }

  private find(): void {
    const edges = this.edges();
    const all = [...this.waits.all()];
    const looked = [...all.filter(({ timeoutMs }) => timeoutMs === null), ...all.filter(({ timeoutMs }) => timeoutMs !== null)].slice(0, MOST_LOOKED_AT);
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
  private tell(circles: readonly Circle[]): void {
    const standing = new Set(circles.flat().map(({ from }) => from));
    this.told = new Set([...this.told].filter((name) => standing.has(name)));
    for (const circle of circles) {
      if (!circle.some(({ from }) => this.told.has(from))) this.warn(`programs wait for each other in a circle: ${circleWords(circle)}`);
      for (const { from } of circle) this.told.add(from);
    }
  }

  /** One wait is enough to break a circle; whoever waits for its service learns what became of it. */
  private endOld(now: number): void {
    for (const [old, since] of this.since) {
      const circle = now - since < ENDED_AFTER_MS ? null : this.words(old);
      if (circle === null) continue;
      this.waits.endWhere((wait) => (wait === old ? refusal(CODE.timedOut, `waited for ${wait.what}, which cannot come: programs wait for each other in a circle: ${circle}`) : null));
    }
  }

  private edges(): Edges {
    const byService = groupBy([...this.waits.all()], ({ service }) => service);
    return (node) => [...(byService.get(node) ?? []).flatMap((wait) => wait.on()), ...this.progress.edges(node)];
  }
}

/** The circle that begins with this wait: its program may wait for other things beside, which come. */
function circleOf(wait: Wait, edges: Edges): Circle | null {
  return circleThrough(wait.service, wait.on(), edges);
}
