/** `bl say` that comes too fast: nothing is lost, and the program is told that its messages are held back. */
import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { levels } from "../support/liveRun.js";

test("a program that says too much is told at the first message that waits and at the tenth; every message is shown", async () => {
  const own = installation();
  const folder = own.plan(
    levels("loud", [
      `
    loud: { boot: { command: "for i in $(seq 80); do { bl say m$i. || echo failed $?; } & done; wait" } }
    calm: { boot: { command: "bl say one; bl say two" } }
  `,
    ]),
  );
  const ended = await own.call(["boot", folder, "--name", "loud"]);
  expect(ended).toMatchObject({ code: 0 });
  const shown = ended.stdout + ended.stderr;
  expect(Array.from({ length: 80 }, (_, index) => `m${index + 1}.`).filter((word) => !shown.includes(word))).toEqual(
    [],
  );
  const { stdout: log } = await own.call(["logs", "loud", "loud"]);
  expect(log).not.toContain("failed ");
  expect(log.match(/bl: this message was held back: a service may say 20 at once, then 10 a second/g)).toHaveLength(1);
  expect(log.match(/bl: 10 messages of this program were held back so far/g)).toHaveLength(1);
  expect(log.match(/bl: /g)).toHaveLength(2);
  expect((await own.call(["logs", "loud", "calm"])).stdout).not.toContain("bl: ");
}, 60_000);
