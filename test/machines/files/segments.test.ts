/** A stream that is taken apart at lines with a nonce, wherever its chunks begin and end. */
import { expect, test } from "@jest/globals";

import { Segments } from "../../../src/machines/files/segments.js";

const NONCE = "0123456789ab";
const whole = Buffer.from(
  `Welcome!\nbl-other x\n\nbl-${NONCE} report\n\0\n\nbl-${NONCE.slice(0, 5)} no\n\nbl-${NONCE} relative\n\nbl-${NONCE} end\nlate`,
  "latin1",
);
const parts = [
  ["report", `\0\n\nbl-${NONCE.slice(0, 5)} no\n`],
  ["relative", ""],
  ["end", "late"],
];

async function read(chunks: readonly Buffer[]): Promise<[string, string][]> {
  const segments = new Segments(
    (async function* (): AsyncGenerator<Buffer, undefined> {
      yield* chunks;
      return undefined;
    })(),
    NONCE,
  );
  const found: [string, string][] = [];
  for (let word = await segments.next(); word !== null; word = await segments.next()) {
    let text = "";
    for await (const chunk of segments.content()) text += chunk.toString("latin1");
    found.push([word, text]);
  }
  return found;
}

test("segments are the same wherever the stream is cut in two, and byte by byte", async () => {
  for (let at = 0; at <= whole.length; at += 1)
    expect(await read([whole.subarray(0, at), whole.subarray(at)])).toEqual(parts);
  expect(await read([...whole].map((byte) => Buffer.from([byte])))).toEqual(parts);
});

test("what is not read of a segment is passed over", async () => {
  const segments = new Segments(
    (async function* (): AsyncGenerator<Buffer, undefined> {
      yield whole;
      return undefined;
    })(),
    NONCE,
  );
  expect([await segments.next(), await segments.next(), await segments.next(), await segments.next()]).toEqual([
    "report",
    "relative",
    "end",
    null,
  ]);
});

test("a stream without a mark has no segment, and one that breaks off in a mark ends", async () => {
  expect(await read([Buffer.from("sh: not found\n")])).toEqual([]);
  expect(await read([Buffer.from(`\nbl-${NONCE} rep`)])).toEqual([]);
});
