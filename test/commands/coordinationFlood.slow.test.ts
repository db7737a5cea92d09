/**
 * Many who wait, long values of any bytes, and machines that flood: everybody else gets through, and the record stays
 * small.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { databaseName, installation, type Document } from "../support/installation.js";
import { levels } from "../support/liveRun.js";

test("a barrier of 40 with places for 4 programs, and a value of a megabyte of any bytes for 10", async () => {
  const own = installation();
  const same = (name: string) => `bl get ${name} --raw > v && sha256sum < v | cmp - '${own.facts}/sum'`;
  const folder = own.plan(
    levels(
      "many",
      [
        `
    source: { outputs: [x], boot: { command: "head -c 1000000 /dev/urandom > v; sha256sum < v > '${own.facts}/sum'; bl set x < v" }, ready: { command: "${same("x")}" } }
    reads: { replicas: 10, inputs: { x: source.x }, boot: { command: "bl get source:x --raw > /dev/null && ${same("x")}" }, ready: { command: "${same("x")}" } }
    meet: { replicas: 40, boot: { command: "bl barrier all" } }
  `,
      ],
      "concurrency: 4\n",
    ),
  );
  expect(await own.call(["boot", folder, "--name", "many"])).toMatchObject({ code: 0 });
}, 60_000);

test("a machine that floods hurts itself only: others talk on, what is said is paced, and the run ends", async () => {
  const own = installation();
  const until = (work: string) => `while ! test -f '${own.facts}/stop'; do ${work}; done`;
  const folder = own.plan(
    levels("flood", [
      `
    says: { boot: { command: "for i in 1 2 3 4 5 6 7 8 9; do (${until("timeout 5 bl say x")}) & done; wait" } }
    nonsense: { boot: { command: "${until("head -c 4000 /dev/urandom; echo 1.1 get a - - - 0; sleep 0.05")} > $BOOTLEVEL_COORDINATION/req 2> /dev/null; true" } }
    waits: { outputs: [x], boot: { command: "for i in $(seq 300); do bl get x --timeout 0 & done > /dev/null 2>&1; ${until("sleep 0.1")}; true" } }
    talks: { outputs: [n], boot: { command: "set -e; for n in 1 2 3 4 5 6 7 8 9; do bl set n $n; test $(bl get talks:n) = $n; sleep 0.2; done; touch '${own.facts}/stop'" } }
  `,
    ]),
  );
  const begun = performance.now();
  const ended = await own.call(["boot", folder, "--name", "flood"]);
  const seconds = (performance.now() - begun) / 1000;
  // "waits" promises an output and never sets it: that it fails says that the flood was over.
  expect(ended.stdout).toContain('the boot program did not set "x"');
  const { document } = await own.json(["events", "flood"]);
  const said = document.events.filter(({ type }: Document) => type === "said").length;
  expect(said).toBeGreaterThan(0);
  expect(said).toBeLessThan(30 + 10 * seconds);
  expect(statSync(join(own.home, databaseName(own.home) as string)).size).toBeLessThan(1_000_000);
  expect((await own.json(["show", "flood"])).document.levels[0].services.map(({ state }: Document) => state)).toEqual([
    "ready",
    "ready",
    "failed",
    "ready",
  ]);
}, 60_000);
