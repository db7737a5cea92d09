/** Ctrl-C while a command waits for a run that another launcher works on: 130, and nothing was done. */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";
import { begun, letGo, levels, localMachines, waitFor } from "../support/liveRun.js";

test("each command that waits ends with 130, says so, and leaves the run to its launcher", async () => {
  const own = installation();
  const folder = own.plan(levels("busy", [`a: { boot: { command: "${waitFor(own, "a")}" } }`]));
  const boot = own.start(["boot", folder, "--name", "busy"]);
  await begun(own, "a");
  const waiting = [
    ["repair", "busy"],
    ["terminate", "busy", "other", "--yes"],
    ["boot", "--resume", "busy"],
    ["run", "--resume", "busy"],
    ["rerun", "busy", "a"],
    ["reports", "busy", "--collect"],
  ];
  expect((await own.call(["boot", own.plan(levels("other", ["b: {}"]), {}, "other"), "--name", "other"])).code).toBe(0);
  for (const words of waiting) {
    const command = own.start([...words, "--wait", "1m"]);
    let told = "";
    command.child.stderr?.on("data", (text: string) => {
      told += text;
    });
    await eventually("it waits", () => told.includes("waiting up to 1m"));
    command.child.kill("SIGINT");
    const ended = await command.ended;
    expect({ words, code: ended.code }).toEqual({ words, code: 130 });
    expect(ended.stderr).toContain('interrupted while waiting, nothing was done: run "busy" is busy');
  }
  expect(localMachines(own)).toHaveLength(2);
  letGo(own, "a");
  expect((await boot.ended).code).toBe(0);
}, 60_000);
