/** Images of local machines: copies of their homes, whole or not at all. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import type { Driver, ImageRequest } from "../../../src/drivers/contract/driver.js";
import local from "../../../src/drivers/local/localDriver.js";
import { never, open, request, stateDirectory } from "../../support/drivers.js";

/** A machine's directory. */
async function launched(
  driver: Driver,
  key: string,
  image: string | null = null,
): Promise<{ id: string; directory: string }> {
  const [outcome] = await driver.launch([{ ...request(key), image }], never);
  if (outcome?.kind !== "launched" || outcome.machine.access?.kind !== "driver")
    throw outcome?.kind === "failed" ? outcome.error : new Error("no machine");
  return { id: outcome.machine.id, directory: (outcome.machine.access.data as { directory: string }).directory };
}

const wish = (machine: string, name = "bootlevel-here-apache-1"): ImageRequest => ({
  machine,
  name,
  description: "",
  mark: request("a").mark,
});

async function made(driver: Driver, machine: string, name?: string): Promise<string> {
  return (await driver.createImage?.(wish(machine, name), never))?.id ?? "";
}

test("a machine that starts from an image finds the home of the one that it was made of: modes, times and links as they were, and no sockets and pipes", async () => {
  const driver = open(local);
  const first = await launched(driver, "a");
  const home = join(first.directory, "home");
  mkdirSync(join(home, "etc"));
  writeFileSync(join(home, "etc", "run.sh"), "#!/bin/sh\n");
  chmodSync(join(home, "etc", "run.sh"), 0o751);
  utimesSync(join(home, "etc", "run.sh"), 1000, 2000);
  linkSync(join(home, "etc", "run.sh"), join(home, "etc", "twin"));
  symlinkSync("etc/run.sh", join(home, "link"));
  symlinkSync("/nowhere/at/all", join(home, "dangling"));
  execFileSync("mkfifo", [join(home, "pipe")]);
  writeFileSync(join(first.directory, "work", "step"), "not the machine's own");
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(join(home, "socket"), resolve);
  });
  chmodSync(join(home, "etc"), 0o550);
  const image = await made(driver, first.id);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  chmodSync(join(home, "etc"), 0o700);

  const second = await launched(driver, "b", image);
  const copy = join(second.directory, "home");
  expect(readdirSync(copy).sort()).toEqual(["dangling", "etc", "link"]);
  expect([
    statSync(copy).mode & 0o777,
    statSync(join(copy, "etc")).mode & 0o777,
    statSync(join(copy, "etc", "run.sh")).mode & 0o777,
  ]).toEqual([0o700, 0o550, 0o751]);
  expect(statSync(join(copy, "etc", "run.sh")).mtimeMs).toBe(2_000_000);
  expect([readlinkSync(join(copy, "link")), readlinkSync(join(copy, "dangling"))]).toEqual([
    "etc/run.sh",
    "/nowhere/at/all",
  ]);
  expect(lstatSync(join(copy, "etc", "twin")).isFile()).toBe(true);
  expect(readdirSync(join(second.directory, "work"))).toEqual([]);
  chmodSync(join(copy, "etc"), 0o700);
});

test("a name gives one image, as it was when it was made, and a machine that is launched again keeps its home", async () => {
  const state = stateDirectory();
  const driver = open(local, { stateDirectory: state });
  const { id, directory } = await launched(driver, "a");
  writeFileSync(join(directory, "home", "file"), "first");
  const image = await made(driver, id);
  writeFileSync(join(directory, "home", "file"), "second");
  expect(await made(driver, id)).toBe(image);
  const b = await launched(driver, "b", image);
  expect(readFileSync(join(b.directory, "home", "file"), "utf8")).toBe("first");
  writeFileSync(join(b.directory, "home", "file"), "own");
  expect(
    readFileSync(
      join((await launched(open(local, { stateDirectory: state }), "b", image)).directory, "home", "file"),
      "utf8",
    ),
  ).toBe("own");
  expect(statSync(join(state, "images")).mode & 0o777).toBe(0o700);
});

test("what a launcher that died has left half done is no image and no machine, and goes", async () => {
  const state = stateDirectory();
  const driver = open(local, { stateDirectory: state });
  const { id, directory } = await launched(driver, "a");
  mkdirSync(join(state, "images", "bootlevel-here-apache-1.dead.new"), { recursive: true });
  const image = await made(driver, id);
  expect(readdirSync(join(state, "images"))).toEqual(["bootlevel-here-apache-1"]);
  // A launch that died while it copied: there is no home yet.
  rmSync(join(directory, "home"), { recursive: true });
  expect(existsSync(join((await launched(driver, "a", image)).directory, "home"))).toBe(true);
});

test("a removed image is gone, may be removed again, and nothing starts from it; other words under image: mean nothing", async () => {
  const state = stateDirectory();
  const driver = open(local, { stateDirectory: state });
  const { id } = await launched(driver, "a", "debian-12");
  const image = await made(driver, id);
  await driver.deleteImage?.(image, never);
  await driver.deleteImage?.(image, never);
  expect(readdirSync(join(state, "images"))).toEqual([]);
  await expect(launched(driver, "b", image)).rejects.toThrow(
    `no machine for b: there is no image ${image} on this computer: build it again`,
  );
  await expect(made(driver, "no-such-machine")).rejects.toThrow(/there is no machine directory/);
  // A name is a name, wherever it would lead as a path.
  await expect(driver.deleteImage?.("local-image:../machines", never)).resolves.toBeUndefined();
  expect(existsSync(join(state, "machines"))).toBe(true);
});
