/** Where the state lies: nothing of others is touched, nothing is made by looking, and what is lost or damaged is named. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";

const PLAN = `plan: shop
clouds: { here: { driver: local } }
defaults: { cloud: here, timeout: 30s }
levels:
  - services:
      web: { boot: { command: "true" }, ready: { command: "true" } }
`;
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const claimsOf = ({ home }: Installation) => join(home, "drivers/local/claims");

async function booted(): Promise<Installation & { readonly folder: string }> {
  const own = installation();
  const folder = own.plan(PLAN);
  expect(await own.call(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0 });
  return { ...own, folder };
}

test("a directory with other files is refused, and keeps its mode", async () => {
  const own = installation();
  mkdirSync(own.home);
  writeFileSync(join(own.home, "theirs"), "");
  chmodSync(own.home, 0o755);
  for (const words of [["list"], ["status", "x"], ["clean", "--all"], ["boot", own.plan(PLAN)]])
    expect(await own.call(words)).toEqual({
      code: 2,
      signal: null,
      stdout: "",
      stderr:
        `bootlevel: ${own.home} holds other files and no state of bootlevel\n` +
        `  give bootlevel a directory of its own, such as BOOTLEVEL_HOME=${join(own.home, "bootlevel")}\n`,
    });
  expect(mode(own.home)).toBe("755");
  expect(readdirSync(own.home)).toEqual(["theirs"]);
});

test("commands that only look make nothing", async () => {
  const own = installation();
  const empty = join(own.directory, "empty");
  mkdirSync(empty, { mode: 0o755 });
  for (const home of [own.home, empty]) {
    const env = { BOOTLEVEL_HOME: home };
    expect(await own.call(["list"], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^There are no runs/),
    });
    expect(await own.call(["show", "x"], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no run"),
    });
  }
  expect(existsSync(own.home)).toBe(false);
  expect(readdirSync(empty)).toEqual([]);
  expect(mode(empty)).toBe("755");
});

test("BOOTLEVEL_HOME: ~ is the home directory, an empty one and another user's are refused", async () => {
  const own = installation();
  const folder = own.plan(PLAN);
  const env = { BOOTLEVEL_HOME: "~/state" };
  expect(await own.call(["boot", folder, "--name", "shop"], { env })).toMatchObject({ code: 0 });
  const home = join(own.directory, "operator/state");
  expect(mode(home)).toBe("700");
  expect(await own.call(["terminate", "shop", "--yes"], { env: { BOOTLEVEL_HOME: home } })).toMatchObject({ code: 0 });
  expect(await own.call(["list"], { env: { BOOTLEVEL_HOME: "" } })).toMatchObject({
    code: 2,
    stderr: "bootlevel: BOOTLEVEL_HOME is empty\n  set it to a directory, or unset it: then it is ~/.bootlevel\n",
  });
  expect(await own.call(["list"], { env: { BOOTLEVEL_HOME: "~joe/x" } })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^bootlevel: BOOTLEVEL_HOME is ~joe\/x: another user's/),
  });
});

test.each(["missing", "empty"])(
  "a database that is %s beside files of runs is told, and no new one begun",
  async (how) => {
    const own = await booted();
    const file = join(own.home, "bootlevel.db");
    const files = readdirSync(own.home).filter((name) => name.startsWith("bootlevel.db"));
    for (const name of files) renameSync(join(own.home, name), join(own.directory, name));
    if (how === "empty") writeFileSync(file, "");
    for (const words of [["list"], ["show", "shop"], ["boot", own.folder]])
      expect(await own.call(words)).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringMatching(
          /^bootlevel: the state database .*bootlevel\.db is missing or empty, but .*runs has files of runs\n {2}restore .*bootlevel clean --all; then move .* away\n$/,
        ),
      });
    // What finds the machines without the record still works.
    expect(await own.call(["clean", "--all"])).toMatchObject({
      stdout: expect.stringMatching(/web\.1 +shop +web .*running/),
    });
    expect(existsSync(file)).toBe(how === "empty");
    for (const name of files) renameSync(join(own.directory, name), join(own.home, name));
    expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
  },
);

test("an empty installation file is written again; one of another text is named with what helps", async () => {
  const own = await booted();
  const file = join(own.home, "installation");
  const mark = readFileSync(file, "utf8");
  writeFileSync(file, "");
  expect(await own.call(["boot", own.folder, "--name", "two"])).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8")).toBe(mark);
  writeFileSync(file, "text\n");
  expect(await own.call(["boot", own.folder, "--name", "three"])).toMatchObject({
    stderr: expect.stringContaining(`what the database says, ${mark.trim()}, or remove it`),
  });
  rmSync(file);
  expect(await own.call(["terminate", "shop", "two", "three", "--yes"])).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8")).toBe(mark);
});

test("an empty key file says what may be done without losing secrets", async () => {
  const own = installation();
  const folder = own.plan(
    `${PLAN}`
      .replace("clouds:", "variables: { pw: { secret: true } }\nclouds:")
      .replace('"true" }, ready', '"true", env: { PW: "${var.pw}" } }, ready'),
    { "vars.yaml": "pw: correct-horse\n" },
  );
  mkdirSync(own.home, { mode: 0o700 });
  writeFileSync(join(own.home, "secret.key"), "");
  const words = ["boot", folder, "--name", "shop", "--var-file", join(folder, "vars.yaml")];
  expect(await own.call(words)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /secret\.key is empty: there is no key in it\n {2}restore the file from a copy, or set BOOTLEVEL_KEY to the original key; if no run has secrets, remove the file/,
    ),
  });
  rmSync(join(own.home, "secret.key"));
  expect(await own.call(words)).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});

test("a damaged claim stops no other run, and is written again from its machine's own record", async () => {
  const own = await booted();
  const claims = claimsOf(own);
  const [address = ""] = readdirSync(claims);
  const before = readFileSync(join(claims, address), "utf8");
  writeFileSync(join(claims, address), "");
  writeFileSync(join(claims, "127.9.9.9"), "{");
  expect(await own.json(["status", "shop"])).toMatchObject({ code: 0, document: { healthy: true } });
  const two = await own.call(["boot", own.folder, "--name", "two"]);
  expect(two).toMatchObject({ code: 0 });
  expect(two.stdout).toMatch(
    new RegExp(`warning .*claims/${address}, which a driver has written, is damaged: .*; it was written again`),
  );
  expect(two.stdout).toMatch(
    /warning .*claims\/127\.9\.9\.9, which a driver has written, is damaged: .*; restore it from a copy; if the machines/,
  );
  expect(readFileSync(join(claims, address), "utf8")).toBe(before);
  expect(await own.call(["terminate", "shop", "two", "--yes"])).toMatchObject({ code: 0 });
  expect(readdirSync(claims)).toEqual(["127.9.9.9"]);
});
