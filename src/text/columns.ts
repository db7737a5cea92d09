/** The width of characters in terminal columns. */
import { eastAsianWidth } from "get-east-asian-width";

const PRINTABLE_ASCII = /^[ -~]*$/;
/**
 * Marks, joiners and other format characters. The selector that turns a symbol into an emoji is excluded: it adds one
 * column.
 */
const NO_WIDTH = /^(?!\ufe0f)[\p{Mn}\p{Me}\p{Cf}]/u;
/**
 * Unicode classifies some of these as narrow (flags, a thermometer); many terminals draw them as wide as other emoji.
 */
const EMOJI = /^[\p{Emoji_Presentation}\u{1f000}-\u{1faff}]/u;

/**
 * The most columns that a text takes. It must not contain control characters. Terminals disagree about emoji sequences
 * and flags, so each part of a sequence is counted: a line may end early, but it never overflows.
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
