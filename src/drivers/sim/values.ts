/**
 * Parses the values of a cloud's and a service's keys. The plan's check cannot validate a string with a reference, so
 * it is validated here.
 */
import { durationMs } from "../../time/duration.js";
import { DriverError } from "../contract/driver.js";
import type { Distribution } from "./chance.js";

/** A duration as written, or a distribution of durations. */
export type WrittenDistribution =
  | string
  | {
      readonly p50?: string;
      readonly p95?: string;
      readonly min?: string;
      readonly max?: string;
      readonly mean?: string;
    };

export const AT_ONCE: Distribution = { kind: "fixed", ms: 0 };

/**
 * @param key the key's name in messages.
 * @throws DriverError
 */
export function readDistribution(key: string, written: WrittenDistribution | undefined): Distribution {
  if (written === undefined) return AT_ONCE;
  if (typeof written === "string") return { kind: "fixed", ms: readDuration(key, written) };
  if (written.mean !== undefined) return { kind: "exponential", mean: readDuration(key, written.mean) };
  const [low, high, kind] =
    written.p50 === undefined
      ? [written.min, written.max, "uniform" as const]
      : [written.p50, written.p95, "log-normal" as const];
  const [min, max] = [readDuration(key, low), readDuration(key, high)];
  if (min > max) throw new DriverError(`${key}: ${String(low)} is more than ${String(high)}`);
  if (kind === "uniform") return { kind, min, max };
  if (min === 0) throw new DriverError(`${key}: the median of a distribution must be more than 0`);
  const limit = written.max === undefined ? Infinity : readDuration(key, written.max);
  if (limit < max) throw new DriverError(`${key}: ${String(high)} is more than ${String(written.max)}`);
  return { kind, p50: min, p95: max, max: limit };
}

/**
 * Returns milliseconds.
 * @throws DriverError
 */
export function readDuration(key: string, written: string | undefined): number {
  const ms = durationMs(written ?? "");
  if (!(ms >= 0)) throw new DriverError(`${key}: ${JSON.stringify(written)} is not a duration`);
  return ms;
}

/**
 * Returns a number. A number from a reference is a string.
 * @throws DriverError
 */
export function readNumber(
  key: string,
  written: number | string | undefined,
  otherwise: number,
  [min, max]: readonly [number, number],
): number {
  const value =
    written === undefined
      ? otherwise
      : typeof written === "string" && written.trim() === ""
        ? Number.NaN
        : Number(written);
  if (!(value >= min && value <= max))
    throw new DriverError(`${key}: ${JSON.stringify(written)} is not a number from ${min} to ${max}`);
  return value;
}
