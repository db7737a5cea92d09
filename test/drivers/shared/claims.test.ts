/** A thing is one holder's at a time, whoever asks at the same moment and whoever dies when. */
import { spawn } from "node:child_process";
import { readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { Claims } from "../../../src/drivers/shared/claims.js";
import { memoryState } from "../../../src/drivers/shared/memoryState.js";
import { driverStateFolder } from "../../../src/state/files/driverState.js";
import { endOf } from "../../support/children.js";
import { stateDirectory } from "../../support/drivers.js";
import { moduleOf } from "../../support/sourceModule.js";

test.each([
  ["on a disk", () => driverStateFolder(stateDirectory())],
  ["in memory", memoryState],
])("the first who asks gets it; others are told who has it, until it is released: %s", async (_where, state) => {
  const claims = new Claims<{ who: string }>(state());
  expect(await claims.take("10.0.0.4:22", { who: "a" })).toBe(true);
  expect(await claims.take("10.0.0.4:22", { who: "b" })).toBe(false);
  expect(await claims.holder("10.0.0.4:22")).toEqual({ who: "a" });
  expect(await claims.holder("10.0.0.5")).toBeNull();
  await claims.release("10.0.0.4:22", { who: "a" });
  await claims.release("10.0.0.4:22", { who: "a" });
  expect(await claims.take("10.0.0.4:22", { who: "b" })).toBe(true);
  await claims.release("10.0.0.4:22", { who: "a" });
  expect(await claims.all()).toEqual([{ name: "10.0.0.4:22", holder: { who: "b" } }]);
});

test.each(["a/b", "../up", "ünd so", "with blank", "%2F", "fe80::1%eth0"])(
  "a name may be anything: %j",
  async (name) => {
    const directory = stateDirectory();
    const claims = new Claims<number>(driverStateFolder(directory));
    expect(await claims.take(name, 1)).toBe(true);
    expect(await claims.all()).toEqual([{ name, holder: 1 }]);
    expect(readdirSync(join(directory, "claims"))).toEqual([encodeURIComponent(name).replace(/^\./, "%2E")]);
    await claims.release(name, 1);
    expect(await claims.all()).toEqual([]);
  },
);

test.each([".", "..", ".hidden"])("a name that begins with a dot is a claim like any other: %j", async (name) => {
  const claims = new Claims<number>(driverStateFolder(stateDirectory()));
  expect(await claims.take(name, 1)).toBe(true);
  expect(await claims.take(name, 2)).toBe(false);
  expect(await claims.all()).toEqual([{ name, holder: 1 }]);
});

test("what a launcher that died in the middle of a claim left behind is no claim", async () => {
  const directory = stateDirectory();
  const claims = new Claims<number>(driverStateFolder(directory));
  await claims.take("b", 1);
  writeFileSync(join(directory, "claims", ".0123456789ab"), "{ half");
  expect(await claims.all()).toEqual([{ name: "b", holder: 1 }]);
  expect(await claims.take("a", 1)).toBe(true);
});

test("claims and their directory are their owner's only", async () => {
  const directory = join(stateDirectory(), "drivers", "one");
  await new Claims<number>(driverStateFolder(directory)).take("a", 1);
  for (const folder of [join(directory, ".."), directory, join(directory, "claims")])
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "claims", "a")).mode & 0o777).toBe(0o600);
});

test("of several processes that want the same hundred things each thing goes to one, and every claim is whole", async () => {
  const directory = stateDirectory();
  const [claimsModule, stateModule] = [
    await moduleOf("src/drivers/shared/claims.ts"),
    await moduleOf("src/state/files/driverState.ts"),
  ];
  const script = `
    const { Claims } = await import(${JSON.stringify(claimsModule)});
    const { driverStateFolder } = await import(${JSON.stringify(stateModule)});
    const claims = new Claims(driverStateFolder(process.argv[1]));
    let got = 0;
    for (let index = 0; index < 100; index += 1) if (await claims.take("host-" + index, { pid: process.pid, pad: "x".repeat(5000) })) got += 1;
    for (const { holder } of await claims.all()) if (holder.pad.length !== 5000) throw new Error("half a claim");
    console.log(got);`;
  const ends = await Promise.all(
    [1, 2, 3, 4].map((number) =>
      endOf(
        `process ${number}`,
        spawn(process.execPath, ["--input-type=module", "-e", script, directory], {
          stdio: ["ignore", "pipe", "pipe"],
        }),
      ),
    ),
  );
  expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(ends.map(() => ({ code: 0, stderr: "" })));
  const counts = ends.map(({ stdout }) => Number(stdout));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
});

test("a draft that a launcher left when it died goes in time; a young one may be somebody's", async () => {
  const directory = stateDirectory();
  const claims = join(directory, "claims");
  await new Claims<number>(driverStateFolder(directory)).take("kept", 1);
  const hourAgo = Date.now() / 1000 - 3_700;
  for (const name of [".old", ".young"]) writeFileSync(join(claims, name), "1");
  for (const name of [".old", "kept"]) utimesSync(join(claims, name), hourAgo, hourAgo);
  expect(await new Claims<number>(driverStateFolder(directory)).all()).toEqual([{ name: "kept", holder: 1 }]);
  expect(readdirSync(claims).sort()).toEqual([".young", "kept"]);
});
