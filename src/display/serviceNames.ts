/** Lists of services, short enough for a line. */
import { stripControl } from "./terminalText.js";

/** Most entries of a list: names, or ranges of replicas. */
const MOST = 8;
/** From so many replicas in a row on, the first and the last one stand for all. */
const RANGE = 3;

/** `db, web-1..web-3 and web-7`: replicas in a row are one entry. More than eight entries are counted. */
export function serviceNames(names: readonly string[]): string {
  const entries = ranges(names.map(stripControl));
  const shown = entries.slice(0, MOST).map(({ text }) => text);
  const left = entries.slice(MOST).reduce((sum, { count }) => sum + count, 0);
  const parts = left === 0 ? shown : [...shown, `${left} more`];
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1) ?? ""}`;
}

interface Entry {
  readonly text: string;
  readonly count: number;
}

function ranges(names: readonly string[]): Entry[] {
  const split = names.map((name) => ({ name, ...splitNumber(name) }));
  const bases = [...new Set(split.map(({ base }) => base))];
  const sorted = split.sort(
    (one, other) => bases.indexOf(one.base) - bases.indexOf(other.base) || one.number - other.number,
  );
  const rows: { first: string; last: string; base: string; number: number; count: number }[] = [];
  for (const { name, base, number } of sorted) {
    const row = rows.at(-1);
    if (row !== undefined && !Number.isNaN(number) && row.base === base && row.number === number - 1) {
      Object.assign(row, { last: name, number, count: row.count + 1 });
    } else rows.push({ first: name, last: name, base, number, count: 1 });
  }
  return rows.flatMap(({ first, last, base, number, count }) =>
    count >= RANGE
      ? [{ text: `${first}..${last}`, count }]
      : Array.from({ length: count }, (_, index) => ({
          text: count === 1 ? first : `${base}-${number - count + 1 + index}`,
          count: 1,
        })),
  );
}

function splitNumber(name: string): { base: string; number: number } {
  const [, base, number] = /^(.+)-([1-9][0-9]*)$/.exec(name) ?? [];
  return base === undefined ? { base: name, number: NaN } : { base, number: Number(number) };
}
