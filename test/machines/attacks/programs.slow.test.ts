/** A machine that lies while a program runs on it: about its verdict, its output and its requests. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import type { Channel, MachineConnection } from "../../../src/machines/contract/connection.js";
import type { BlRequest } from "../../../src/machines/coordination/blRequest.js";
import { openRelay } from "../../../src/machines/coordination/relay.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { runQuery } from "../../../src/machines/shell/query.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { createLink } from "../../support/createLink.js";
import { LONGEST_PAUSE_MS, MOST_MEMORY, underPressure } from "../../support/pressure.js";

const NONCE = /(?:bl-(?:begin|talk) |bl-%s |bl-)([0-9a-f]{24})/;
const MIB = 1_048_576;
let host: LocalHost;

beforeEach(async () => {
  host = await startLocalHost();
});
afterEach(() => host.stop());

/**
 * A machine whose first channel runs `answer` in place of its script: a real shell, real pipes, and the script's nonce as
 * `$n`.
 */
async function liar(answer: string): Promise<MachineConnection> {
  const real = await host.link.connection();
  let opened = 0;
  return {
    label: real.label,
    workDirectory: real.workDirectory,
    alive: true,
    close: () => real.close(),
    open: async () => {
      // Whoever asks again finds nobody.
      opened += 1;
      const channel = await real.open(opened === 1 ? "exec /bin/sh" : "exit 1");
      const { stdin } = channel;
      const write = stdin.write.bind(stdin);
      let told = false;
      stdin.write = ((chunk: string | Buffer): boolean => {
        if (told) return true;
        told = true;
        return write(`n=${NONCE.exec(chunk.toString())?.[1] ?? "none"}; ${answer}\n`);
      }) as typeof stdin.write;
      stdin.end = ((chunk?: unknown) => {
        if (typeof chunk === "string") stdin.write(chunk);
        return stdin;
      }) as typeof stdin.end;
      return channel;
    },
  };
}

/** Runs a program there, at most for some seconds. */
async function run(answer: string, timeoutMs = 5_000) {
  const connection = await liar(answer);
  const link = createLink(async () => connection);
  const request = {
    ...requestFor(await bundleOf(host.directory, "true"), { timeoutMs, graceMs: 100 }),
    onWarning: () => undefined,
    onOutput: () => undefined,
  };
  const { value, growth, longestPauseMs } = await underPressure(() =>
    runProgram(link, request).then(
      (result) => ({ result, error: null }),
      (error: unknown) => ({ result: null, error: error as Error }),
    ),
  );
  expect(growth).toBeLessThan(MOST_MEMORY);
  expect(longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
  return value;
}

const flood = (megabytes: number) => `head -c ${megabytes * MIB} /dev/zero`;
const begun = `printf 'bl-begin %s %s\\n' $n $n; printf 'bl-end %s\\n' $n`;

test.each(["NaN NaN", "0 NaN", "0 -1", "0 1e999", "0 Infinity", "1.5 0", "-1 0", "0x10 0", "0", "", "0 0 0"])(
  "a result of %j is none, and nothing is waited for",
  async (numbers) => {
    const { result } = await run(`${begun}; printf '\\nbl-done %s ${numbers}\\n' $n >&2; ${flood(300)} >&2; sleep 100`);
    expect(result).toEqual({ kind: "lost", reason: expect.stringContaining("the machine sent a result that is none") });
  },
);

test("outputs that are announced too long, or come in too small pieces, have a bound", async () => {
  const long = await run(`${begun}; printf '\\nbl-done %s 0 999999999999999\\n' $n >&2; ${flood(300)} >&2; sleep 100`);
  expect(long.error?.message).toContain("the outputs are 999999999999999 bytes long; the limit is 16777216 bytes");
  const small = await run(
    `${begun}; printf '\\nbl-done %s 0 300000\\n' $n >&2; { yes a=b | head -c 300000 | dd bs=1 2>/dev/null; } >&2; sleep 100`,
    20_000,
  );
  expect(small.result).toEqual({ kind: "exited", code: 0, outputs: new Map([["a", "b"]]) });
}, 60_000);

test("marks and messages that never end are not held", async () => {
  for (const answer of [
    `printf 'bl-begin %s ' $n; ${flood(300)}`,
    `printf 'bl-begin %s %s\\n' $n $n; ${flood(300)}`,
    `${flood(300)} >&2`,
    `yes "bl-call $n -" | head -c ${20 * MIB} | tr 'c' 'c' >&2`,
    `printf '\\nbl-fail %s ' $n >&2; ${flood(100)} | tr '\\0' x >&2; echo >&2`,
  ]) {
    const { result, error } = await run(`${answer}; sleep 100`);
    expect((error?.message ?? JSON.stringify(result)).length).toBeLessThan(20_000);
  }
}, 120_000);

test("more names, and longer ones, than a plan can use are refused", async () => {
  const bundle = await bundleOf(
    host.directory,
    `#!/bin/sh\ni=0; while [ $i -lt 1001 ]; do echo "n$i=$i"; i=$((i+1)); done >>"$BOOTLEVEL_OUTPUT"\n`,
  );
  const start = { kind: "command", line: "sh run.sh" } as const;
  await expect(runProgram(host.link, requestFor(bundle, { start }))).rejects.toThrow("the limit is 1000");
  const line = (text: string) => ({ start: { kind: "command", line: text } as const });
  const million = line(`yes '' | head -n 1000000 | awk '{ print "n" NR "=v" }' >>"$BOOTLEVEL_OUTPUT"`);
  const { value, longestPauseMs } = await underPressure(() =>
    runProgram(host.link, requestFor(bundle, million)).catch((error: unknown) => (error as Error).message),
  );
  expect(value).toContain("sets one name more than the limit of 1000");
  expect(longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
  const name = line(`printf '%0201d=v\\n' 0 | tr 0 n >>"$BOOTLEVEL_OUTPUT"`);
  await expect(runProgram(host.link, requestFor(bundle, name))).rejects.toThrow("at most 199 letters, digits and _");
}, 60_000);

test("a relay that sends no requests, or reads no replies, is ended or waited for, and not held in memory", async () => {
  const relay = async (
    answer: string,
    handler = async (_request: BlRequest) => ({ code: 7, message: "m".repeat(900) }) as const,
  ) => {
    const opened = await openRelay(await liar(answer), {
      directory: "step-1",
      how: "anew",
      handler,
      onWarning: () => undefined,
    });
    const over = new Promise<null>((resolve) => setTimeout(resolve, 6_000, null));
    const ended = await Promise.race([opened.ended, over]);
    await opened.close();
    return ended;
  };
  const request = (size: number) => `1.1 set name - - - ${size}`;
  for (const [answer, expected] of [
    [`printf '\\nbl-talk %s ' $n; ${flood(300)}`, "the relay's first line is too long"],
    [`printf '\\nbl-talk %s ready\\n' $n; ${flood(300)}`, "a request is too long"],
    [`printf '\\nbl-talk %s ready\\n${request(99_999_999)}\\n' $n; sleep 100`, "the limit is 16777216 bytes"],
  ] as const) {
    const { value, growth } = await underPressure(() => relay(answer));
    expect(value).toMatchObject({ kind: "broken", reason: expect.stringContaining(expected) });
    expect(growth).toBeLessThan(MOST_MEMORY);
  }
  // Requests without an end, whose replies nobody reads.
  const deaf = `printf '\\nbl-talk %s ready\\n' $n; awk 'BEGIN { for (i = 1; i < 3000000; i++) print i ".1 get name - - - 0" }'; sleep 100`;
  const { growth, longestPauseMs } = await underPressure(() => relay(deaf));
  expect(growth).toBeLessThan(MOST_MEMORY);
  expect(longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
}, 120_000);

test("a query has a bound in bytes and in time, and so has the opening of its channel", async () => {
  const signal = new AbortController().signal;
  const { value, growth } = await underPressure(async () =>
    runQuery(await liar(`${flood(300)} | tr '\\0' x; exit 0`), () => "true", { limitMs: 60_000, signal }),
  );
  expect(value.words.length).toBeLessThanOrEqual(600);
  expect(growth).toBeLessThan(MOST_MEMORY);
  const silent: MachineConnection = {
    ...(await liar("sleep 100")),
    open: () => new Promise<Channel>(() => undefined),
  };
  await expect(runQuery(silent, () => "true", { limitMs: 300, signal })).rejects.toThrow("no answer within 0.3 s");
}, 60_000);
