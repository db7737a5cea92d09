/** The time axis, with round steps. */
import { formatElapsed } from "../time.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];
/** More labels would overlap. */
const MOST_TICKS = 10;

export interface Tick {
  readonly ms: number;
  readonly label: string;
}

/** Evenly spaced ticks from 0 to `untilMs`, at most eleven including 0. */
export function ticks(untilMs: number): Tick[] {
  const fitting = STEPS.find((step) => untilMs / step <= MOST_TICKS);
  const step = fitting ?? Math.ceil(untilMs / MOST_TICKS / DAY) * DAY;
  return Array.from({ length: Math.floor(untilMs / step) + 1 }, (_, index) => ({
    ms: index * step,
    label: tickLabel(index * step, untilMs),
  }));
}

function tickLabel(ms: number, untilMs: number): string {
  if (ms === 0) return "0";
  if (untilMs < SECOND) return `${ms}ms`;
  return ms < MINUTE ? `${ms / SECOND}s` : formatElapsed(ms);
}
