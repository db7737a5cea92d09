/** Programs that talk to their launcher, on this computer. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { attributes } from "../../support/talk.js";

let host: LocalHost;
beforeEach(async () => { host = await startLocalHost(); });
afterEach(async () => { await host.stop(); });

const step = (directory: string, name: string): string => join(host.directory, "steps", directory, name);

test("a value that was set is got, whatever is in it", async () => {
  const every = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.from("\n\n'\"$(x)\\n\r\n")]);
  const { handler, values } = attributes();
  const bundle = await bundleOf(host.directory, [
    "#!/bin/sh -e", 'bl set every <"$EVERY"; bl set big <"$BIG"; bl set empty ""; bl set none </dev/null; bl set word "$WORD"',
    'for name in every big empty none word; do bl get $name --raw >got.$name; done; bl get word >line', "",
  ].join("\n"));
  const [everyFile, bigFile, word] = [join(host.directory, "every"), join(host.directory, "big"), "--raw it's \"a\" $(x) `x` \\n\n é\n"];
  const big = randomBytes(1_000_000);
  writeFileSync(everyFile, every);
  writeFileSync(bigFile, big);
  const request = requestFor(bundle, { env: { EVERY: everyFile, BIG: bigFile, WORD: word }, talk: handler });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 0 });
  expect(request.text()).toBe("");
  const got = (name: string) => readFileSync(step(request.directory, `got.${name}`));
  expect(got("every").equals(every)).toBe(true);
  expect(got("big").equals(big)).toBe(true);
  expect([got("empty").length, got("none").length, got("word").toString()]).toEqual([0, 0, word]);
  expect(readFileSync(step(request.directory, "line"), "utf8")).toBe(`${word}\n`);
  expect(values.get("word")?.toString()).toBe(word);
});
void existsSync;
