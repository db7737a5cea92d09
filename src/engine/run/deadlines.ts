/** How long booting and executing may take in all, however often a run goes from one to the other: a level executes before the next one boots. */
import type { Phase } from "../../plan/launchPlan.js";

type Timed = Extract<Phase, "boot" | "execute">;

/** The longest that a timer of Node can wait, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

export class Deadlines {
  private readonly spent: Record<Timed, number> = { boot: 0, execute: 0 };
  private phase: Timed = "boot";
  private since = performance.now();
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param limits milliseconds; a phase without one takes as long as it takes.
   * @param onOver called once, with the phase that took too long and its limit.
   */
  constructor(private readonly limits: Readonly<Partial<Record<Phase, number>>>, private readonly onOver: (phase: Timed, limitMs: number) => void) {
    this.arm();
  }

  /** Another phase begins, or goes on. */
  enter(phase: Timed): void {
    this.spent[this.phase] += performance.now() - this.since;
    this.phase = phase;
    this.since = performance.now();
    this.arm();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private arm(): void {
    this.stop();
    const { phase } = this;
    const limit = this.limits[phase];
    if (limit === undefined) return;
    this.timer = setTimeout(() => { this.onOver(phase, limit); }, Math.min(LONGEST_MS, Math.max(0, limit - this.spent[phase])));
  }
}
