/** Measures redaction relative to decoding the same output as UTF-8, and whether its time is linear. */
import { randomBytes } from "node:crypto";

import { RedactingStream, Redactor } from "../src/secrets/redactor.js";
import { answer, figure, isGuard } from "./support/answer.js";
import { cpuNow } from "./support/cost.js";

const CHUNK = 64 * 1024;
const CHUNKS = isGuard ? 80 : 1_600; // 100 MB
const TIMES = isGuard ? 3 : 5;

const short = Array.from({ length: 10 }, () => randomBytes(18).toString("base64"));
const long = randomBytes(750_000).toString("base64"); // a megabyte

const TEXTS: Readonly<Record<string, string>> = {
  "log lines": lines((at) => `2026-11-30T20:00:00 INFO server[${at}]: GET /index.html 200 in ${at % 100} ms\n`),
  "lines of JSON": lines((at) => `${JSON.stringify({ at, path: "C:\\dir", text: 'a "quoted" word' })}\n`),
};

function lines(line: (at: number) => string): string {
  let text = "";
  for (let at = 0; text.length < CHUNK; at += 1) text += line(at);
  return text.slice(0, CHUNK);
}

/** The processor time of a stream, in milliseconds per chunk. */
function streamed(redactor: Redactor, chunk: string, chunks: number): number {
  const stream = new RedactingStream(redactor);
  const began = cpuNow();
  for (let time = 0; time < chunks; time += 1) stream.push(chunk);
  stream.end();
  return (cpuNow() - began) / chunks;
}

/** The least that must be done with output: from bytes to text, line by line. */
function decoded(chunk: string): number {
  const bytes = Buffer.from(chunk);
  const began = cpuNow();
  for (let time = 0; time < CHUNKS; time += 1) bytes.toString("utf8").split("\n");
  return (cpuNow() - began) / CHUNKS;
}

function ratios(one: () => number, other: () => number): number[] {
  one();
  return Array.from({ length: TIMES }, () => one() / other());
}

const some = new Redactor(short);
const figures = Object.entries(TEXTS).map(([name, text]) =>
  figure(
    `${name}, 10 secrets: redaction over decoding and splitting lines`,
    ratios(
      () => streamed(some, text, CHUNKS),
      () => decoded(text),
    ),
  ),
);
const plain = TEXTS["log lines"] as string;
figures.push(
  figure(
    "log lines: with a secret of 1 MB over without",
    ratios(
      () => streamed(new Redactor([...short, long]), plain, CHUNKS),
      () => streamed(some, plain, CHUNKS),
    ),
    { limit: 6, margin: 1.5 },
  ),
  figure(
    "time of a chunk: in a stream ten times as long over in a short one",
    ratios(
      () => streamed(some, plain, CHUNKS),
      () => streamed(some, plain, CHUNKS / 10),
    ),
    { limit: 1.5, margin: 1.5 },
  ),
  figure(
    "hostile text (the beginning of a secret, again and again) over log lines",
    ratios(
      () => streamed(new Redactor([`${"a".repeat(200)}b`, `${"ab".repeat(500_000)}c`]), "a".repeat(CHUNK), CHUNKS),
      () => streamed(some, plain, CHUNKS),
    ),
    { limit: 8, margin: 1.5 },
  ),
);
answer({ title: "Redaction", figures });
