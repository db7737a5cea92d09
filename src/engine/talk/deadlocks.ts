/**
 * Finds programs that wait for each other in a circle. That a service waits does not prove that it does nothing else (a program may wait in the
 * background), so a circle is told when it stands, and ends only those of its waits that would never end by themselves.
 */
import { CODE, refusal } from "./answers.js";
import { circleThrough, circleWords, type Edge } from "./circles.js";
import type { Progress } from "./progress.js";
import type { Wait, Waits } from "./waits.js";

/** A circle is told when it has stood so long, and a wait for ever in it ends when it has stood that long; milliseconds. */
const TOLD_AFTER_MS = 2_000;
const ENDED_AFTER_MS = 30_000;

export class Deadlocks {
  private timer: NodeJS.Timeout | null = null;
  private readonly told = new Set<string>();
  /** Since when waits for ever have been in a circle. */
  private readonly since = new Map<Wait, number>();

  constructor(private readonly waits: Waits, private readonly progress: Progress, private readonly warn: (message: string) => void) {}

  /** The circle that a service is in, in words; null without one. */
  words(service: string): string | null {
    const circle = circleThrough(service, this.edges(this.byService()));
    return circle === null ? null : circleWords(circle);
  }

  /** Looks for circles a moment from now: programs have begun to wait. */
  look(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.find();
    }, TOLD_AFTER_MS).unref();
  }

  private find(): void {
    const byService = this.byService();
    const edges = this.edges(byService);
    const now = performance.now();
    let standing = false;
    for (const [service, waits] of byService) {
      const circle = circleThrough(service, edges);
      if (circle === null) {
        for (const wait of waits) this.since.delete(wait);
        continue;
      }
      const members = circle.map(({ from }) => from).sort().join(" ");
      if (!this.told.has(members)) this.warn(`programs wait for each other in a circle: ${circleWords(circle)}`);
      this.told.add(members);
      standing = this.age(waits, now) || standing;
    }
    this.forget(byService);
    this.endOld(now);
    if (standing) this.look();
  }

  /** @returns whether there is one among them that would wait for ever. */
  private age(waits: readonly Wait[], now: number): boolean {
    const endless = waits.filter((wait) => wait.timeoutMs === null);
    for (const wait of endless) if (!this.since.has(wait)) this.since.set(wait, now);
    return endless.length > 0;
  }

  private endOld(now: number): void {
    const old = [...this.since].filter(([, since]) => now - since >= ENDED_AFTER_MS).map(([wait]) => wait);
    // One is enough to break the circle; whoever waits for its service learns what became of it.
    const [first] = old;
    if (first === undefined) return;
    const circle = this.words(first.service);
    this.since.delete(first);
    if (circle === null) return;
    this.waits.endWhere((wait) => (wait === first ? refusal(CODE.timedOut, `waited for ${wait.what}, which cannot come: programs wait for each other in a circle: ${circle}`) : null));
  }

  private forget(byService: ReadonlyMap<string, readonly Wait[]>): void {
    const there = new Set([...byService.values()].flat());
    for (const wait of this.since.keys()) if (!there.has(wait)) this.since.delete(wait);
  }

  private byService(): Map<string, Wait[]> {
    const byService = new Map<string, Wait[]>();
    for (const wait of this.waits.all()) {
      const known = byService.get(wait.service);
      if (known === undefined) byService.set(wait.service, [wait]);
      else known.push(wait);
    }
    return byService;
  }

  private edges(byService: ReadonlyMap<string, readonly Wait[]>): (node: string) => readonly Edge[] {
    return (node) => [...(byService.get(node) ?? []).flatMap((wait) => wait.on()), ...this.progress.edges(node)];
  }
}
