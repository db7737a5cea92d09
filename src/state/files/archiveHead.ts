/**
 * The first member of a report's archive: its manifest. It has the same length whatever it says. So it can be written
 * before the files, and again when it is known which of them came. It is a gzip member of its own; whoever unpacks gzip
 * reads several members as one.
 */
import { gzipSync } from "node:zlib";

import { ABOUT, type ReportManifest } from "../contract/reportArchive.js";

/** The bytes of the manifest, padded with blanks; a multiple of tar's blocks. */
const MANIFEST_BYTES = 8_192;

export function headOf(manifest: ReportManifest): Buffer {
  const content = Buffer.alloc(MANIFEST_BYTES, " ");
  content.write(fitted(manifest));
  content.write("\n", MANIFEST_BYTES - 1);
  // Without compression, equal sizes stay equal.
  return gzipSync(Buffer.concat([header(manifest.collectedAt), content]), { level: 0 });
}

/** The manifest as JSON. Lists that do not fit are shortened, with a word. */
function fitted(manifest: ReportManifest): string {
  let { content } = manifest;
  for (;;) {
    const text = JSON.stringify(content === undefined ? manifest : { ...manifest, content }, null, 2);
    if (content === undefined || Buffer.byteLength(text) < MANIFEST_BYTES) return text;
    const { cut, missing } = content;
    if (cut.length + missing.length <= 1)
      return JSON.stringify({ ...manifest, content: { ...content, cut: [], missing: [] } });
    content = { ...content, cut: cut.slice(0, cut.length >> 1), missing: shortened(missing) };
  }
}

function shortened(missing: readonly string[]): string[] {
  const half = missing
    .slice(0, missing.length >> 1)
    .map((text) => (text.length > 400 ? `${text.slice(0, 400)}…` : text));
  return half.at(-1) === MORE ? half : [...half, MORE];
}

const MORE = "and more";

/** A ustar header: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06 */
function header(modifiedAt: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, digits: number) =>
    `${Math.max(0, Math.floor(value)).toString(8).padStart(digits, "0")}\0`;
  const fields: readonly (readonly [at: number, text: string])[] = [
    [0, ABOUT],
    [100, octal(0o600, 7)],
    [108, octal(0, 7)],
    [116, octal(0, 7)],
    [124, octal(MANIFEST_BYTES, 11)],
    [136, octal(modifiedAt / 1000, 11)],
    [148, " ".repeat(8)],
    [156, "0"],
    [257, "ustar\0" + "00"],
  ];
  for (const [at, text] of fields) block.write(text, at, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148, "latin1");
  return block;
}
