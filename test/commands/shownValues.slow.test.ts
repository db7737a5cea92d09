/** Values that programs set are shown as they are set: paced, cut, and never a secret. */
import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { levels } from "../support/liveRun.js";

const SECRET = "sh0wn-s3cret-value";

test("the progress shows names and values, cut to a line; of a service whose secrets are not known yet, no value", async () => {
  const own = installation();
  own.plan("", { secret: SECRET }, "facts");
  const folder = own.plan(
    levels("shown", [
      `
    plain: { outputs: [url, long, lines], boot: { command: "bl set url postgres://db; bl set url postgres://db; bl set long $(printf 'x%.0s' $(seq 500)); printf 'a\\\\nb\\\\033[31m' | bl set lines" } }
    careful: { outputs: [before, after, { name: token, secret: true }], boot: { command: "bl set before url-with-$(cat '${own.facts}/secret'); bl set token < '${own.facts}/secret'; bl set after open" } }
    taker: { inputs: { token: careful.token }, outputs: [copy], boot: { command: "bl set copy x-$(bl get token)-x" } }
  `,
    ]),
  );
  const ended = await own.call(["boot", folder, "--name", "shown"]);
  expect(ended).toMatchObject({ code: 0 });
  const shown = (ended.stdout + ended.stderr).split("\n").flatMap((line) => / (\S+ set .*)$/.exec(line)?.[1] ?? []);
  expect(shown.sort()).toEqual([
    "careful set after = open",
    "careful set before",
    "careful set token",
    "plain set lines = a b [31m",
    `plain set long = ${"x".repeat(80)}…`,
    "plain set url = postgres://db",
    "taker set copy",
  ]);
  const { document } = await own.json(["events", "shown"]);
  const events = document.events.filter(({ type }: { type: string }) => type === "output-set");
  expect(events).toHaveLength(7);
  expect(events[0].data).toEqual({ service: expect.any(String), name: expect.any(String), step: "boot" });
  expect(JSON.stringify(document)).not.toContain(SECRET);
}, 60_000);

test("a program that sets without end is shown now and then, and how often it was not", async () => {
  const own = installation();
  const folder = own.plan(
    levels("busy", [
      `busy: { outputs: [n], boot: { command: "for i in $(seq 60); do bl set n $i & done; wait; sleep 1; bl set n last" } }`,
    ]),
  );
  expect(await own.call(["boot", folder, "--name", "busy"])).toMatchObject({ code: 0 });
  const { document } = await own.json(["events", "busy"]);
  const events = document.events.filter(({ type }: { type: string }) => type === "output-set");
  expect(events.length).toBeLessThan(60);
  expect(events.length).toBeGreaterThan(20);
  const untold = events.reduce((sum: number, { data }: { data: { untold?: number } }) => sum + (data.untold ?? 0), 0);
  expect(events.length + untold).toBe(61);
  expect(await own.call(["output", "busy", "busy.n"])).toMatchObject({ stdout: "last\n" });
}, 60_000);
