/** What drivers keep: one of several processes wins, values are whole, and what is damaged is named. */
import { spawn } from "node:child_process";
import { existsSync, linkSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { memoryState } from "../../../src/drivers/shared/memoryState.js";
import type { DriverState, StateKey } from "../../../src/model/driverState.js";
import { isStateError } from "../../../src/state/contract/errors.js";
import { driverStateFolder } from "../../../src/state/files/driverState.js";
import { endOf } from "../../support/children.js";
import { stateDirectory } from "../../support/drivers.js";
import { moduleOf } from "../../support/sourceModule.js";

const PROCESSES = 4;
const ROUNDS = 200;

const keysOf = async (state: DriverState, prefix: StateKey) => (await state.list(prefix)).map(({ key }) => key).sort();

/** Runs a script in several processes, which has `state` and the process's number. @returns what each printed */
async function inProcesses(directory: string, script: string): Promise<string[]> {
  const module = await moduleOf("src/state/files/driverState.ts");
  const program = `
    const { driverStateFolder } = await import(${JSON.stringify(module)});
    const [state, number] = [driverStateFolder(process.argv[1]), Number(process.argv[2])];
    ${script}`;
  const ends = await Promise.all(
    Array.from({ length: PROCESSES }, (_, number) =>
      endOf(
        `process ${number}`,
        spawn(process.execPath, ["--input-type=module", "-e", program, directory, String(number)], {
          stdio: ["ignore", "pipe", "pipe"],
        }),
      ),
    ),
  );
  expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(ends.map(() => ({ code: 0, stderr: "" })));
  return ends.map(({ stdout }) => stdout.trim());
}

for (const [where, make] of [
  ["on a disk", () => driverStateFolder(stateDirectory())],
  ["in memory", memoryState],
] as const) {
  test(`a key is inserted once, replaced, compared and removed: ${where}`, async () => {
    const state = make();
    expect(await state.get("g/a")).toBeNull();
    expect(await state.replace("g/a", { n: 1 }, { n: 0 })).toBe(false);
    expect(await state.insert("g/a", { n: 1, none: undefined })).toBe(true);
    expect(await state.insert("g/a", { n: 2 })).toBe(false);
    expect(await state.get("g/a")).toEqual({ n: 1 });
    expect(await state.replace("g/a", { n: 3 }, { n: 2 })).toBe(false);
    expect(await state.get("g/a")).toEqual({ n: 1 });
    expect(await state.replace("g/a", { n: 3 }, { n: 1, none: undefined })).toBe(true);
    expect(await state.replace("g/a", { n: 4 })).toBe(true);
    expect(await state.replace("g/new", "text")).toBe(true);
    expect(await state.get("g/new")).toBe("text");
    expect(await state.remove("g/a", { n: 3 })).toBe(false);
    expect(await state.get("g/a")).toEqual({ n: 4 });
    expect(await state.remove("g/a", { n: 4 })).toBe(true);
    expect(await state.remove("g/a")).toBe(false);
    expect(await state.get("g/a")).toBeNull();
    expect(await state.insert("g/a", { n: 5 })).toBe(true);
  });

  test(`list gives the keys that begin so, and their values: ${where}`, async () => {
    const state = make();
    for (const key of ["batches/run1/a", "batches/run1/b", "batches/run10/a", "claims/run1/a"] as const)
      await state.insert(key, { key });
    expect((await state.list("batches/run1/")).map(({ value }) => value)).toEqual(
      expect.arrayContaining([{ key: "batches/run1/a" }, { key: "batches/run1/b" }]),
    );
    expect(await keysOf(state, "batches/run1/")).toEqual(["batches/run1/a", "batches/run1/b"]);
    expect(await keysOf(state, "batches/run1")).toEqual(["batches/run1/a", "batches/run1/b", "batches/run10/a"]);
    expect(await keysOf(state, "claims/")).toEqual(["claims/run1/a"]);
    expect(await state.list("none/")).toEqual([]);
  });
}

test("a name is text of any kind; names never meet, nor lead elsewhere", async () => {
  const directory = join(stateDirectory(), "drivers", "one");
  const state = driverStateFolder(directory);
  const names = [
    "",
    ".",
    "..",
    "../up",
    "/",
    "//",
    "a",
    "a/",
    "a/b",
    "a%2Fb",
    "%",
    "%25",
    ".lock-a",
    "line\nbreak",
    "ß é",
  ];
  names.push("\u0000", "\u{1F680}", "a\\b", "fe80::1%eth0", "constructor", "__proto__");
  for (const name of names) expect([name, await state.insert(`g/${name}`, { name })]).toEqual([name, true]);
  for (const name of names) expect(await state.get(`g/${name}`)).toEqual({ name });
  expect(await keysOf(state, "g/")).toEqual(names.map((name) => `g/${name}`).sort());
  expect(readdirSync(join(directory, ".."))).toEqual(["one"]);
  expect(readdirSync(directory)).toEqual(["g"]);
  for (const name of names) expect(await state.remove(`g/${name}`)).toBe(true);
  expect(readdirSync(join(directory, "g"))).toEqual([]);
  for (const key of ["/a", "../a", "a b/c"] as const) await expect(state.get(key)).rejects.toThrow(TypeError);
});

test("folders are for their owner only, and files too, also those that were replaced", async () => {
  const directory = join(stateDirectory(), "drivers", "one");
  const state = driverStateFolder(directory);
  await state.insert("g/a", 1);
  await state.replace("g/a", 2, 1);
  await state.replace("g/b", 2);
  for (const folder of [join(directory, ".."), directory, join(directory, "g")])
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const file of ["a", "b"]) expect(statSync(join(directory, "g", file)).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(directory, "g")).sort()).toEqual(["a", "b"]);
});

test("of several processes that insert the same key at once exactly one wins, in each of 200 rounds", async () => {
  const directory = stateDirectory();
  const script = `
    const { existsSync, writeFileSync, readdirSync } = await import("node:fs");
    const won = [];
    for (let round = 0; round < ${ROUNDS}; round += 1) {
      // All begin a round together.
      writeFileSync(process.argv[1] + "/at-" + round + "-" + number, "");
      while (![...Array(${PROCESSES}).keys()].every((other) => existsSync(process.argv[1] + "/at-" + round + "-" + other)));
      if (await state.insert("g/" + round, { number })) won.push(round);
    }
    console.log(JSON.stringify(won));`;
  const won = (await inProcesses(directory, script)).map((text) => JSON.parse(text) as number[]);
  expect(won.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: ROUNDS }, (_, round) => round));
  const state = driverStateFolder(directory);
  for (const [number, rounds] of won.entries())
    for (const round of rounds) expect(await state.get(`g/${round}`)).toEqual({ number });
});

test("nothing that several processes add to one value by compare and set is lost", async () => {
  const directory = stateDirectory();
  await driverStateFolder(directory).insert("g/sum", { sum: 0 });
  await inProcesses(
    directory,
    `for (let round = 0; round < 100; round += 1)
      for (;;) {
        const now = await state.get("g/sum");
        if (await state.replace("g/sum", { sum: now.sum + 1 }, now)) break;
      }`,
  );
  expect(await driverStateFolder(directory).get("g/sum")).toEqual({ sum: PROCESSES * 100 });
  expect(readdirSync(join(directory, "g"))).toEqual(["sum"]);
});

test("a launcher that dies between the temporary file and the rename has changed nothing, and hinders nobody", async () => {
  const directory = stateDirectory();
  const state = driverStateFolder(directory);
  await state.insert("g/a", { n: 1 });
  const [draft, lock] = [join(directory, "g", ".0123456789ab"), join(directory, "g", ".lock-a")];
  writeFileSync(draft, '{"n":2}');
  linkSync(draft, lock);
  expect(await state.get("g/a")).toEqual({ n: 1 });
  expect(await state.list("g/")).toEqual([{ key: "g/a", value: { n: 1 } }]);
  expect(await state.insert("g/b", { n: 1 })).toBe(true);
  // The lock is taken away when it is old.
  expect(await state.replace("g/a", { n: 3 }, { n: 1 })).toBe(true);
  expect(await state.get("g/a")).toEqual({ n: 3 });
  expect(existsSync(lock)).toBe(false);
});

test.each([
  ["{ half", ""],
  ["", ""],
  ["null", ""],
])("a damaged file is named, with what helps: %j", async (text) => {
  const directory = stateDirectory();
  const state = driverStateFolder(directory);
  await state.insert("g/a", { n: 1 });
  const file = join(directory, "g", "a");
  writeFileSync(file, text);
  for (const ask of [
    () => state.get("g/a"),
    () => state.list("g/"),
    () => state.replace("g/a", 1, 2),
    () => state.remove("g/a", 2),
  ]) {
    const error = await ask().then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!isStateError(error)) throw new Error("no StateError");
    expect(error.message).toContain(`${file}, which a driver has written, is damaged: `);
    expect(error.remedy).toBe(
      "restore it from a copy; if the machines that it is about do not exist any more, remove it",
    );
  }
  expect(await state.insert("g/a", { n: 2 })).toBe(false);
  expect(readFileSync(file, "utf8")).toBe(text);
  expect(readdirSync(join(directory, "g"))).toEqual(["a"]);
  expect(await state.remove("g/a")).toBe(true);
});

test("a folder that cannot be written to is named, and nothing is left", async () => {
  const directory = stateDirectory();
  const state = driverStateFolder(directory);
  writeFileSync(join(directory, "g"), "no folder");
  const error = await state.insert("g/a", 1).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isStateError(error)) throw new Error("no StateError");
  expect(error.message).toMatch(/^cannot write .*g\/a: /);
  expect(error.remedy).toContain(directory);
});
