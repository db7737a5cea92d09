/** The result of a benchmark, and how it is reported to the parent process. */

/** One figure of a result. */
export interface Figure {
  readonly what: string;
  /** The median. */
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  /** Omitted for a ratio. */
  readonly unit?: string;
  /** The limit that `value` must not exceed. */
  readonly limit?: number;
  /** The factor by which a guard run may exceed the limit, to tolerate noise. */
  readonly margin?: number;
}

/** A line of a chart: seconds by size. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [size: number, seconds: number])[];
}

export interface Answer {
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly notes?: readonly string[];
  readonly series?: readonly Series[];
}

/** Whether this is a guard run: smaller sizes and fewer repetitions. */
export const isGuard = process.env["BENCH_GUARD"] === "1";

/** Reports the result. */
export function answer(told: Answer): void {
  process.send?.(told, () => {
    process.disconnect?.();
  });
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Combines several measurements into a figure. */
export function figure(
  what: string,
  numbers: readonly number[],
  more: Pick<Figure, "unit" | "limit" | "margin"> = {},
): Figure {
  return { what, value: median(numbers), low: Math.min(...numbers), high: Math.max(...numbers), ...more };
}
