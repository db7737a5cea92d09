/**
 * When events happened, in milliseconds since the first one. Events carry the launcher's wall clock, which somebody may
 * set while it works, and are told in the order in which things happened; the two together show most of such jumps.
 */
import type { RunEvent } from "../../model/events.js";

export interface ClockReading {
  /** The moment of each event, in their order. Never falls for the events of one service. */
  readonly times: readonly number[];
  /** The moment of the section's end, or of its last event. */
  readonly endMs: number;
  /** Whether the clock was set meanwhile. */
  readonly set: boolean;
}

/** A smaller disorder is no jump: events of many services are written down a little after their time. */
const JUMP_MS = 1_000;

/** Reads the clock of one section. */
export function readClock(events: readonly RunEvent[]): ClockReading {
  const clock = new Clock(events[0]?.at ?? 0);
  const times = events.map((event) => clock.timeOf(event));
  const end = events.findLastIndex((event) => event.type === "run-finished");
  return { times, endMs: times[end] ?? clock.latest, set: clock.wasSet };
}

class Clock {
  wasSet = false;
  latest = 0;
  /** What is added to the wall clock to undo its jumps. */
  private correction = 0;
  private readonly begun = new Map<string, { readonly at: number; readonly time: number }>();
  private readonly lastOfService = new Map<string, number>();

  constructor(private readonly origin: number) {}

  timeOf(event: RunEvent): number {
    const told = event.at - this.origin + this.correction;
    const real = this.measured(event) ?? (isToldAtOnce(event) && told < this.latest - JUMP_MS ? this.latest : null);
    if (real !== null) {
      this.correction += real - told;
      this.wasSet = true;
    }
    return this.keep(event, real ?? told);
  }

  /**
   * The moment of an end by its own `ms`, if that contradicts the wall clock: it was measured on a clock that nobody
   * sets.
   */
  private measured(event: RunEvent): number | null {
    if (!("ms" in event) || !Number.isFinite(event.ms) || event.ms < 0) return null;
    const start = this.begun.get(spanOf(event));
    if (start === undefined || Math.abs(event.at - start.at - event.ms) <= JUMP_MS) return null;
    return start.time + event.ms;
  }

  private keep(event: RunEvent, moment: number): number {
    const service = "service" in event ? event.service : null;
    const time = Math.max(0, moment, service === null ? 0 : (this.lastOfService.get(service) ?? 0));
    if (service !== null) this.lastOfService.set(service, time);
    if (event.type.endsWith("-started")) this.begun.set(spanOf(event), { at: event.at, time });
    this.latest = Math.max(this.latest, time);
    return time;
  }
}

/**
 * The beginning of something is told with the time before it was written down, which may be long ago where thousands of
 * services begin.
 */
function isToldAtOnce(event: RunEvent): boolean {
  return !event.type.endsWith("-started");
}

/** What begins by one event and ends by another: the run, a level, a step. */
function spanOf(event: RunEvent): string {
  if (event.type === "step-started" || event.type === "step-finished")
    return `step ${event.service} ${event.step} ${event.attempt}`;
  return "level" in event ? `level ${event.level}` : "run";
}
