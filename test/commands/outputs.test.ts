/** What a boot program publishes, and what it may not. */
import { test, expect } from "@jest/globals";

import { installation } from "../support/installation.js";

const publishing = (outputs: string, script: string) =>
  [
    `plan: out\nlevels:\n  - name: one\n    services:\n      a: { outputs: [${outputs}], boot: boot.sh }\n`,
    { "boot.sh": `#!/bin/sh\necho some words\n${script}\n` },
  ] as const;

test.each([
  ["a promised output that is missing", "x, y", "echo x=1 >> $BOOTLEVEL_OUTPUT", /"y"/],
  ["several promised outputs that are missing", "x, y, z", "echo x=1 >> $BOOTLEVEL_OUTPUT", /"y", "z"/],
  [
    "an output named like a built-in attribute",
    "x",
    "echo x=1 >> $BOOTLEVEL_OUTPUT; echo host=evil >> $BOOTLEVEL_OUTPUT",
    /"host"/,
  ],
  ["a line that is no output", "x", "echo x=1 >> $BOOTLEVEL_OUTPUT; echo nonsense >> $BOOTLEVEL_OUTPUT", /line 2/],
  [
    "a block that never ends",
    "x",
    "printf 'x<<END\\n1\\n' >> $BOOTLEVEL_OUTPUT",
    /the block at line 1 of the outputs has no closing line "END"/,
  ],
  ["an output that is not UTF-8", "x", "printf 'x=\\377\\n' >> $BOOTLEVEL_OUTPUT", /UTF-8/],
])("%s fails the boot, and says so", async (_what, outputs, script, words) => {
  const own = installation();
  const { code, document } = await own.json(["boot", own.plan(...publishing(outputs, script)), "--name", "out"]);
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "a", step: "boot" }]);
  expect(document.failures[0].message).toMatch(words);
  expect((await own.json(["show", "out"])).document.levels[0].services[0].state).toBe("failed");
});

test("the failure for a missing output leads to the program's log, like any other failure of a program", async () => {
  const own = installation();
  const { document } = await own.json(["boot", own.plan(...publishing("x", "true"))]);
  expect(document.failures[0]).toMatchObject({ lastLines: ["some words"] });
  expect(document.failures[0].log).toMatch(/a\.boot\.log$/);
});

test("an output that the plan does not promise is a warning, not a failure", async () => {
  const own = installation();
  const ended = await own.call([
    "boot",
    own.plan(...publishing("x", "printf 'x=1\\nextra=2\\n' >> $BOOTLEVEL_OUTPUT")),
  ]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(/warning.*extra/);
});

test("the last value of a name wins; an output of a failing program is not published", async () => {
  const own = installation();
  expect(
    (
      await own.call([
        "boot",
        own.plan(...publishing("x", "printf 'x=1\\nx=2\\n' >> $BOOTLEVEL_OUTPUT")),
        "--name",
        "good",
      ])
    ).code,
  ).toBe(0);
  expect((await own.json(["show", "good"])).document.levels[0].services[0].attributes.x.value).toBe("2");
  expect(
    (
      await own.call([
        "boot",
        own.plan(...publishing("x", "printf 'x=1\\n' >> $BOOTLEVEL_OUTPUT; exit 1")),
        "--name",
        "bad",
      ])
    ).code,
  ).toBe(1);
  expect((await own.json(["show", "bad"])).document.levels[0].services[0].attributes).not.toHaveProperty("x");
});
