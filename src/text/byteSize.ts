/** Sizes of data in plans: `64MiB`, `1.5GiB`. */

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };
const WRITTEN = /^(\d{1,6}(?:\.\d{1,3})?)(B|KiB|MiB|GiB)$/;

/** The number of bytes. `NaN` for text that is no size. */
export function parseByteSize(text: string): number {
  const [, amount, unit] = WRITTEN.exec(text) ?? [];
  return amount === undefined ? NaN : Math.round(Number(amount) * (UNITS[unit ?? ""] ?? NaN));
}

/** A number of bytes as plans write it, with at most one digit after the point: `64MiB`. */
export function writeByteSize(bytes: number): string {
  const [unit, factor] = Object.entries(UNITS).findLast(([, least]) => bytes >= least) ?? ["B", 1];
  return `${Math.round((bytes / factor) * 10) / 10}${unit}`;
}
