/** What a question answers, and how it is told to who asked it. */

/** One figure of an answer. */
export interface Figure {
  readonly what: string;
  /** The median. */
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  /** Nothing for a ratio. */
  readonly unit?: string;
  /** What it must not be past. */
  readonly limit?: number;
  /** How many times its limit a guard lets it be: noise does not reach that. */
  readonly margin?: number;
}

/** A line of a picture: seconds by size. */
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

/** Whether only a guard asks: smaller sizes and fewer repetitions do. */
export const isGuard = process.env["BENCH_GUARD"] === "1";

/** Tells the answer. */
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

/** Several measurements of one thing as a figure. */
export function figure(
  what: string,
  numbers: readonly number[],
  more: Pick<Figure, "unit" | "limit" | "margin"> = {},
): Figure {
  return { what, value: median(numbers), low: Math.min(...numbers), high: Math.max(...numbers), ...more };
}
