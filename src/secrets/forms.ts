/**
 * The forms in which a secret is searched for. Escapes need none: the printed text is decoded instead (`escapes.ts`).
 * What remains is what cannot be undone without knowing where it begins: base64, hexadecimal, and doubled quotes.
 */
import { bytesOfText, isText } from "../text/surrogateEscape.js";
import { decodeEscapes } from "./escapes.js";
import { plainView } from "./view.js";

/** A shorter base64 fragment would redact harmless text. */
const FRAGMENT_LENGTH = 6;
/** A shorter secret is searched for in lower-case hexadecimal only. */
const UPPER_HEX_LENGTH = 4;
/** A longer form is searched for by the pieces of its skeleton, which has no quotes and blanks. */
export const LONGEST_FORM = 256;
/** How many levels of escapes are decoded, in secrets and in what is printed. */
export const ESCAPE_LEVELS = 6;

/** The forms of a secret, as bytes in UTF-8. */
export function* formsOf(secret: string): Generator<Uint8Array> {
  if (secret === "") return;
  const bytes = bytesOfText(secret);
  // Bytes that are not text are printed as a UTF-8 decoder shows them.
  const text = isText(secret) ? secret : bytes.toString("utf8");
  yield bytes;
  const written = bytes.length > LONGEST_FORM ? [text] : new Set(writtenForms(text));
  for (const form of written) yield Buffer.from(form, "utf8");
  yield* decodedForms(bytes);
  // In Latin-1, as in `\\xe9`.
  if (bytes.length > text.length && /^[\0-\xff]*$/.test(text)) yield Buffer.from(text, "latin1");
  for (const form of new Set([...base64Forms(bytes), ...hexForms(bytes)])) yield Buffer.from(form, "latin1");
}

function* writtenForms(text: string): Generator<string> {
  yield* [text, encodeURIComponent(Buffer.from(text).toString()), JSON.stringify(text).slice(1, -1)];
  for (const quote of ["'\\''", "'\"'\"'", "''"]) yield text.replaceAll("'", () => quote);
  for (const doubled of ['"', "$", "%"]) yield text.replaceAll(doubled, () => doubled + doubled);
  yield text.replaceAll(" ", "+");
}

/** A secret with escapes in it looks like this in a decoded text. */
function* decodedForms(bytes: Uint8Array): Generator<Uint8Array> {
  let view = decodeEscapes(plainView(bytes), true);
  for (let level = 0; level < ESCAPE_LEVELS && view !== null; level += 1) {
    yield view.bytes;
    view = decodeEscapes(view, true);
  }
}

function hexForms(bytes: Buffer): string[] {
  const hex = bytes.toString("hex");
  return bytes.length < UPPER_HEX_LENGTH ? [hex] : [hex, hex.toUpperCase()];
}

/**
 * The base64 forms of a text that contains the secret. Three bytes become four characters, so the form differs at each
 * of three offsets, and the characters at both ends also depend on the neighbouring bytes.
 */
function* base64Forms(secret: Buffer): Generator<string> {
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), secret])
      .toString("base64")
      .replace(/=+$/, "");
    const first = [0, 2, 3][offset] as number;
    const exact = (offset + secret.length) % 3 === 0;
    const inner = whole.slice(first, exact ? undefined : -1);
    if (inner.length < FRAGMENT_LENGTH) continue;
    yield inner;
    yield inner.replaceAll("+", "-").replaceAll("/", "_");
  }
  yield secret.toString("base64");
}
