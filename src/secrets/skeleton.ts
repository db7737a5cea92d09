/**
 * The skeleton of a text: what is left when everything is dropped that programs add to a long value, or write in
 * several ways. Line breaks and blanks (`base64`, `hexdump`, folded YAML), quotes and backslashes (shells, YAML, CSV),
 * `+` (a blank in forms), and `+` and `-`, `/` and `_`, which the two alphabets of base64 swap.
 */
import { beginOf, endOf, ViewBuilder, type View } from "./view.js";

/** Dropped from both the text and the secret. */
const DROP = -1;
/** A longer run of dropped characters separates two values. It bounds how much of a stream is held back. */
const LONGEST_RUN = 64;
/** Stands for such a run. No skeleton of a secret has it, since NUL is dropped. */
const SEPARATOR = 0;

const FOLDED = Int16Array.from({ length: 256 }, (_, byte) => byte);
for (const dropped of "\0\t\n\v\f\r \"'\\+-") FOLDED[dropped.charCodeAt(0)] = DROP;
FOLDED["_".charCodeAt(0)] = "/".charCodeAt(0);

/** The skeleton of a printed text. */
export function skeletonView(view: View): View {
  const { bytes } = view;
  const folded = new ViewBuilder(bytes.length);
  let run = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = FOLDED[bytes[at] as number] as number;
    if (byte === DROP) {
      run += 1;
      if (run === LONGEST_RUN) folded.add(SEPARATOR, beginOf(view, at), endOf(view, at));
    } else {
      run = 0;
      folded.add(byte, beginOf(view, at), endOf(view, at));
    }
  }
  return folded.build(view.unfinished);
}

/** The skeleton of a secret. */
export function skeletonOf(secret: Uint8Array): Uint8Array {
  const folded = new Uint8Array(secret.length);
  let length = 0;
  for (let at = 0; at < secret.length; at += 1) {
    const kept = FOLDED[secret[at] as number] as number;
    if (kept !== DROP) folded[length++] = kept;
  }
  return folded.subarray(0, length);
}
