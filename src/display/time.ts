/**
 * Formats times. Existing packages such as pretty-ms print `3m 5.2s` and cannot pad to `3m 05s`.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A measured duration in milliseconds: `850ms`, `2.1s`, `3m 05s`, `1h 02m`, `2d 03h`. Negative ones, after
 * a clock was set back, become `0ms`.
 */
export function formatDuration(ms: number): string {
  const rounded = Math.max(0, Math.round(ms));
  if (rounded < SECOND) return `${rounded}ms`;
  const tenths = Math.round(rounded / 100) / 10;
  if (tenths < 60) return `${tenths.toFixed(1)}s`;
  return inTwoUnits(rounded);
}

/** An elapsed time in whole seconds (`7s`, `3m 05s`), so that the screen changes once a second. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND));
  return seconds < 60 ? `${seconds}s` : inTwoUnits(seconds * SECOND);
}

function inTwoUnits(ms: number): string {
  const seconds = Math.round(ms / SECOND);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  const minutes = Math.round(ms / MINUTE);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.round(ms / HOUR);
  return `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
}

/** An age in its largest unit: `now`, `42s`, `3m`, `2h`, `5d`. */
export function formatAge(ms: number): string {
  if (ms < SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`;
  return `${Math.floor(ms / DAY)}d`;
}

/** A point in time (milliseconds since the epoch) in local time: `2026-11-21 05:00`. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
