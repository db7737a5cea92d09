/** How many columns characters take on a terminal. */
import { eastAsianWidth } from "get-east-asian-width";

const PRINTABLE_ASCII = /^[ -~]*$/;
/** Marks, joiners and other format characters; the selector that turns a sign into an emoji widens that by one. */
const NO_WIDTH = /^(?!\ufe0f)[\p{Mn}\p{Me}\p{Cf}]/u;
/** Unicode calls some of these narrow (flags, a thermometer); many terminals draw them as wide as all other emoji. */
const EMOJI = /^[\p{Emoji_Presentation}\u{1f000}-\u{1faff}]/u;

/**
 * The columns that text takes at most; it must not hold control characters. Terminals disagree about emoji sequences
 * and flags, so every part of one is counted: a line may then end early, but never runs over the edge.
 */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The columns of one character (a code point): 0, 1 or 2. */
export function characterWidth(character: string): number {
  if (PRINTABLE_ASCII.test(character)) return character.length;
  if (NO_WIDTH.test(character)) return 0;
  return EMOJI.test(character) ? 2 : eastAsianWidth(character.codePointAt(0) as number);
}
