/** Texts of programs, for people. */
const LONGEST_TEXT = 1_000;

/** Converts a program's text to one line of limited length without terminal control characters. */
export function tidy(value: Buffer): string {
  const text = value
    .subarray(0, 4 * LONGEST_TEXT)
    .toString("utf8")
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, " ")
    .trim();
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
