/**
 * Deadlines for the total time of booting and of executing. A run alternates between them: a level executes before the
 * next one boots.
 */
import type { Phase } from "../../plan/launchPlan/launchPlan.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import type { RunContext } from "./context.js";

type Timed = Extract<Phase, "boot" | "execute">;

/** Does `work` under the plan's deadlines: the run is aborted when a phase takes too long. Only for the verb "run". */
export async function underDeadlines<T>(
  context: RunContext,
  verb: "boot" | "run",
  work: (enterPhase: (phase: Timed) => void) => Promise<T>,
): Promise<T> {
  if (verb === "boot") return work(() => undefined);
  const deadlines = new Deadlines(context.plan.deadlines, (phase, limitMs) => {
    const reason = `${phase === "boot" ? "booting" : "executing"} took longer than its deadline of ${limitMs / 1000} s`;
    context.writer?.expect(context.abort.begin({ reason, origin: "deadline", at: context.clock.now() }));
  });
  try {
    return await work((phase) => {
      deadlines.enter(phase);
    });
  } finally {
    deadlines.stop();
  }
}

class Deadlines {
  private readonly spent: Record<Timed, number> = { boot: 0, execute: 0 };
  private phase: Timed = "boot";
  private since = performance.now();
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param limits in milliseconds; a phase without a limit may take any time.
   * @param onOver called once, with the phase that took too long and its limit.
   */
  constructor(
    private readonly limits: Readonly<Partial<Record<Phase, number>>>,
    private readonly onOver: (phase: Timed, limitMs: number) => void,
  ) {
    this.arm();
  }

  /** Starts or continues a phase. */
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
    this.timer = setTimeout(
      () => {
        this.onOver(phase, limit);
      },
      Math.min(LONGEST_TIMER_MS, Math.max(0, limit - this.spent[phase])),
    );
  }
}
