/**
 * Reconstructs when events happened, in milliseconds since the first one. Events carry the launcher's wall clock, which
 * may be changed while it works, and are recorded in the order in which they happened. Together, the two reveal most
 * clock changes.
 */
import type { RunEvent } from "../../model/events.js";

export interface ClockReading {
  /** The time of each event, in log order. Never decreases for the events of one service. */
  readonly times: readonly number[];
  /** The time of the section's end, or of its last event. */
  readonly endMs: number;
  /** Whether the wall clock was changed meanwhile. */
  readonly set: boolean;
}

/** Smaller differences are no clock change: with many services, events are recorded a little after their time. */
const JUMP_MS = 1_000;

/** Reads the times of one section. */
export function readClock(events: readonly RunEvent[]): ClockReading {
  const clock = new Clock(events[0]?.at ?? 0);
  const times = events.map((event) => clock.timeOf(event));
  const end = events.findLastIndex((event) => event.type === "run-finished");
  return { times, endMs: times[end] ?? clock.latest, set: clock.wasSet };
}

class Clock {
  wasSet = false;
  latest = 0;
  /** Correction of the wall clock for the changes so far. */
  private correction = 0;
  private readonly started = new Map<string, { readonly at: number; readonly time: number }>();
  private readonly lastOfService = new Map<string, number>();

  constructor(private readonly origin: number) {}

  timeOf(event: RunEvent): number {
    const recorded = event.at - this.origin + this.correction;
    const real =
      this.measured(event) ?? (isRecordedAtOnce(event) && recorded < this.latest - JUMP_MS ? this.latest : null);
    if (real !== null) {
      this.correction += real - recorded;
      this.wasSet = true;
    }
    return this.keep(event, real ?? recorded);
  }

  /** The time of an end event by its own `ms`, if the wall clock contradicts it. `ms` comes from a monotonic clock. */
  private measured(event: RunEvent): number | null {
    if (!("ms" in event) || !Number.isFinite(event.ms) || event.ms < 0) return null;
    const start = this.started.get(spanOf(event));
    if (start === undefined || Math.abs(event.at - start.at - event.ms) <= JUMP_MS) return null;
    return start.time + event.ms;
  }

  private keep(event: RunEvent, moment: number): number {
    const service = "service" in event ? event.service : null;
    const time = Math.max(0, moment, service === null ? 0 : (this.lastOfService.get(service) ?? 0));
    if (service !== null) this.lastOfService.set(service, time);
    if (event.type.endsWith("-started")) this.started.set(spanOf(event), { at: event.at, time });
    this.latest = Math.max(this.latest, time);
    return time;
  }
}

/** A start event carries the time before it was recorded, which may be long ago when thousands of services start. */
function isRecordedAtOnce(event: RunEvent): boolean {
  return !event.type.endsWith("-started");
}

/** Identifies what a start event and an end event belong to: the run, a level, a step. */
function spanOf(event: RunEvent): string {
  if (event.type === "step-started" || event.type === "step-finished")
    return `step ${event.service} ${event.step} ${event.attempt}`;
  return "level" in event ? `level ${event.level}` : "run";
}
