/** A run is aborted while `reports --collect` holds it: programs of a dead launcher end at once. */
import { expect, test } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { installation } from "../support/installation.js";
import { begun, letGo, levels, waitFor } from "../support/liveRun.js";

test("programs of a dead launcher are ended by the command that holds the run, and its reports come home", async () => {
  const own = installation();
  const folder = own.plan(
    levels("held", [
      `
  a: { boot: { command: "true" }, report: { command: "${waitFor(own, "report")}; echo x > \\"$BOOTLEVEL_REPORT_DIR/x\\"" } }
  b: { execute: { command: "echo $$ > '${own.facts}/pid'; touch '${own.facts}/begun-b'; exec sleep 300" } }
`,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "held"]);
  await begun(own, "b");
  boot.child.kill("SIGKILL");
  await boot.ended;
  const pid = Number(own.fact("pid"));
  expect(isAlive(pid)).toBe(true);
  const collect = own.start(["reports", "held", "--collect"]);
  await begun(own, "report");
  const abort = await own.call(["abort", "held", "enough"]);
  expect(abort).toMatchObject({ code: 0, stdout: expect.stringContaining("reports works on it") as unknown as string });
  await eventually("the program has ended", () => !isAlive(pid));
  letGo(own, "report");
  expect(await collect.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/x/) as unknown as string });
  expect((await own.json(["show", "held"])).document.abort).toMatchObject({ reason: "enough" });
}, 60_000);
