/** A thing is one holder's at a time, whoever asks at the same moment and whoever dies when. */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";
import { transform } from "esbuild";

import { Claims } from "../../../src/drivers/shared/claims.js";
import { endOf } from "../../support/children.js";
import { stateDirectory } from "../../support/drivers.js";

test("the first who asks gets it; others are told who has it, until it is released", () => {
  const claims = new Claims<{ who: string }>(join(stateDirectory(), "claims"));
  expect(claims.take("10.0.0.4:22", { who: "a" })).toBe(true);
  expect(claims.take("10.0.0.4:22", { who: "b" })).toBe(false);
  expect(claims.holder("10.0.0.4:22")).toEqual({ who: "a" });
  expect(claims.holder("10.0.0.5")).toBeNull();
  claims.release("10.0.0.4:22");
  claims.release("10.0.0.4:22");
  expect(claims.take("10.0.0.4:22", { who: "b" })).toBe(true);
});

test.each(["a/b", "../up", "ünd so", "with blank", "%2F", "fe80::1%eth0"])("a name may be anything: %j", (name) => {
  const directory = join(stateDirectory(), "claims");
  const claims = new Claims<number>(directory);
  expect(claims.take(name, 1)).toBe(true);
  expect(claims.all()).toEqual([{ name, holder: 1 }]);
  expect(readdirSync(directory)).toHaveLength(1);
  claims.release(name);
  expect(claims.all()).toEqual([]);
});

test.each([".", "..", ".hidden"])("a name that begins with a dot is a claim like any other: %j", (name) => {
  const claims = new Claims<number>(join(stateDirectory(), "claims"));
  expect(claims.take(name, 1)).toBe(true);
  expect(claims.take(name, 2)).toBe(false);
  expect(claims.all()).toEqual([{ name, holder: 1 }]);
});

test("what a launcher that died in the middle of a claim left behind is no claim", () => {
  const directory = join(stateDirectory(), "claims");
  const claims = new Claims<number>(directory);
  writeFileSync(join(directory, ".0123456789ab"), "{ half");
  expect(claims.all()).toEqual([]);
  expect(claims.take("a", 1)).toBe(true);
});

test("claims and their directory are their owner's only", () => {
  const directory = join(stateDirectory(), "claims");
  new Claims<number>(directory).take("a", 1);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "a")).mode & 0o777).toBe(0o600);
});

test("of several processes that want the same hundred things each thing goes to one, and every claim is whole", async () => {
  const directory = join(stateDirectory(), "claims");
  const { code: source } = await transform(
    readFileSync(new URL("../../../src/drivers/shared/claims.ts", import.meta.url), "utf8"),
    { loader: "ts", format: "esm" },
  );
  const module = join(stateDirectory(), "claims.mjs");
  writeFileSync(module, source);
  const script = `
    import(${JSON.stringify(module)}).then(({ Claims }) => {
      const claims = new Claims(process.argv[1]);
      let got = 0;
      for (let index = 0; index < 100; index += 1) if (claims.take("host-" + index, { pid: process.pid, pad: "x".repeat(5000) })) got += 1;
      for (const { holder } of claims.all()) if (holder.pad.length !== 5000) throw new Error("half a claim");
      console.log(got);
    });`;
  const ends = await Promise.all(
    [1, 2, 3, 4].map((number) =>
      endOf(
        `process ${number}`,
        spawn(process.execPath, ["-e", script, directory], { stdio: ["ignore", "pipe", "pipe"] }),
      ),
    ),
  );
  expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(ends.map(() => ({ code: 0, stderr: "" })));
  const counts = ends.map(({ stdout }) => Number(stdout));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
});

test("a draft that a launcher left when it died goes in time; a young one may be somebody's", () => {
  const directory = join(stateDirectory(), "claims");
  new Claims<number>(directory).take("kept", 1);
  const hourAgo = Date.now() / 1000 - 3_700;
  for (const name of [".old", ".young"]) writeFileSync(join(directory, name), "1");
  for (const name of [".old", "kept"]) utimesSync(join(directory, name), hourAgo, hourAgo);
  expect(new Claims<number>(directory).all()).toEqual([{ name: "kept", holder: 1 }]);
  expect(readdirSync(directory).sort()).toEqual([".young", "kept"]);
});
