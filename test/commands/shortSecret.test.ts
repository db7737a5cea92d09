/** A secret of one letter is in most words. Texts lose it; the words that bootlevel itself goes by do not. */
import { expect, test } from "@jest/globals";

import { installation, type Document } from "../support/installation.js";

test("a run with a secret of one letter boots, is recorded with its events' types and names, and is terminated", async () => {
  const own = installation();
  const folder = own.plan(
    'plan: short\nvariables: { letter: { secret: true, default: a } }\nlevels: [{ name: base, services: { data: { boot: { command: "echo banana $L", env: { L: "${var.letter}" } } } } }]\n',
  );
  expect(await own.call(["boot", folder, "--name", "bare"])).toMatchObject({ code: 0 });
  const { document } = await own.json(["events", "bare"]);
  expect(document.events.map(({ type }: Document) => type)).toEqual(
    expect.arrayContaining(["run-started", "level-started", "service-state", "machine-launched", "run-finished"]),
  );
  const states = document.events.filter(({ type }: Document) => type === "service-state");
  expect(states.at(-1)).toMatchObject({ service: "data", data: { service: "data", level: "base", state: "ready" } });
  expect((await own.call(["logs", "bare"])).stdout).toContain("b[secret]n[secret]n[secret]");
  expect(await own.call(["terminate", "bare", "--yes"])).toMatchObject({ code: 0 });
});
