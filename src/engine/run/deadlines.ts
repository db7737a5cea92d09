/**
 * Deadlines for the total time of booting and of executing. A run alternates between them: a level executes before the
 * next one boots.
 */
import type { Phase } from "../../plan/launchPlan/launchPlan.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";

export type TimedPhase = Extract<Phase, "boot" | "execute">;

export class Deadlines {
  private readonly spent: Record<TimedPhase, number> = { boot: 0, execute: 0 };
  private phase: TimedPhase = "boot";
  private since = performance.now();
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param limits in milliseconds; a phase without a limit may take any time.
   * @param onOver called once, with the phase that took too long and its limit.
   */
  constructor(
    private readonly limits: Readonly<Partial<Record<Phase, number>>>,
    private readonly onOver: (phase: TimedPhase, limitMs: number) => void,
  ) {
    this.arm();
  }

  /** Starts or continues a phase. */
  enter(phase: TimedPhase): void {
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
    this.timer = setTimeout(
      () => {
        this.onOver(phase, limit);
      },
      Math.min(LONGEST_TIMER_MS, Math.max(0, limit - this.spent[phase])),
    );
  }
}
