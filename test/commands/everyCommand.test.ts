/** One run from its plan to its end, with each command that needs nothing but this computer: do they all work? */
import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { levels, localMachines, loseMachine, tell, told } from "../support/liveRun.js";

test("a plan is checked, booted, looked at, repaired, rebooted, reloaded, and terminated", async () => {
  const own = installation();
  const plan = (replicas: number, folder: string) =>
    own.plan(
      levels("shop", [
        `db: { outputs: [port], boot: { command: "echo port=5432 >> $BOOTLEVEL_OUTPUT; echo db-says; ${tell(own, "db")}" } }`,
        `web: { replicas: ${replicas}, boot: { command: "${tell(own, "web \${db.port}")}" }, ready: { command: "true" } }`,
      ]),
      {},
      folder,
    );
  const [small, big] = [plan(1, "small"), plan(2, "big")];
  const fine = async (...words: readonly string[]): Promise<string> => {
    const ended = await own.call(words);
    expect({ words, ...ended }).toMatchObject({ words, code: 0, stderr: "" });
    return ended.stdout;
  };
  await fine("validate", small);
  expect(await fine("rehearse", small, "--runs", "2")).toMatch(/Every boot succeeded\./);
  await fine("boot", small, "--name", "shop");
  expect(told(own)).toEqual(["db", "web 5432"]);
  expect(await fine("list")).toMatch(/shop/);
  expect(await fine("show", "shop")).toMatch(/web/);
  expect(await fine("logs", "shop", "db")).toMatch(/db-says/);
  expect(await fine("events", "shop")).toMatch(/db/);
  expect(await fine("analyze", "shop")).toMatch(/db/);
  await fine("status", "shop");

  loseMachine(own, "web");
  expect((await own.call(["status", "shop"])).code).toBe(1);
  await fine("repair", "shop");
  expect(told(own)).toEqual(["web 5432"]);
  expect(await fine("history", "shop")).toMatch(/replaced/);
  await fine("reboot", "shop", "web", "--yes");
  expect(told(own)).toEqual(["web 5432"]);
  await fine("rerun", "shop", "web");
  await fine("reload", "shop", big, "--yes");
  expect(localMachines(own)).toHaveLength(3);
  await fine("status", "shop");
  told(own);

  await fine("terminate", "shop", "--yes");
  expect(localMachines(own)).toEqual([]);
  await fine("clean", "--all", "--yes");
  expect((await own.json(["list"])).document.runs).toEqual([]);
  await fine("run", small, "--name", "once");
  expect(localMachines(own)).toEqual([]);
});
