/** Waits end with words, whatever does not come: what the other tests rely on when they fail. */
import { spawn } from "node:child_process";
import { once } from "node:events";

import { expect, test } from "@jest/globals";

import { endOf, exitOf } from "./children.js";
import { eventually, isAlive, until, within } from "./eventually.js";

const failureOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: unknown) => (error as Error).message,
  );

test("what does not come is named, with what was seen last", async () => {
  let looks = 0;
  expect(await failureOf(eventually("the third look", () => (looks += 1) > 1e9, 50))).toMatch(
    /^waited \d+ ms in vain for: the third look\nseen last: false$/,
  );
  expect(looks).toBeGreaterThan(1);
  expect(
    await failureOf(
      eventually(
        "words",
        () => null,
        20,
        () => "a log's end",
      ),
    ),
  ).toMatch(/seen last: a log's end$/);
  expect(await failureOf(until(() => looks < 0, 20))).toMatch(/in vain for: \(\) ?=> ?looks < 0\nseen last: false$/);
  expect(await failureOf(within("a promise", new Promise(() => undefined), 20))).toBe(
    "waited 20 ms in vain for: a promise",
  );
});

test("a wait without a limit of its own ends before the test must", async () => {
  expect(await failureOf(until(() => false))).toMatch(/^waited \d+ ms in vain/);
}, 2_000);

test("a child that does not end is killed by its id, and the failure shows what it printed", async () => {
  const child = spawn("sh", ["-c", "echo told; echo wrong >&2; exec sleep 1000"]);
  const ended = endOf("a sleeper", child, 1_000);
  await Promise.all([child.stdout, child.stderr].map((stream) => within("its words", once(stream, "data"))));
  expect(await failureOf(eventually("nothing", () => false, 100))).toMatch(
    /still running: a sleeper:\n {2}stdout: told\n/,
  );
  expect(await failureOf(ended)).toBe(
    "waited 1000 ms in vain for the end of a sleeper:\n  stdout: told\n\n  stderr: wrong\n",
  );
  await until(() => !isAlive(child.pid ?? 0));
});

test("a child that was told to end and does not is killed, too", async () => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  expect(await failureOf(exitOf("a sleeper", child, 50))).toMatch(/^waited 50 ms in vain for the end of a sleeper/);
  await until(() => !isAlive(child.pid ?? 0));
});
