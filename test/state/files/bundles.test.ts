/** Bundles, kept by content. */
import { createHash } from "node:crypto";
import { chmodSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { expect, test } from "@jest/globals";

import { FileError } from "../../../src/state/contract/fileErrors.js";
import { locateHome } from "../../../src/state/files/home.js";
import { launcherFolders, localFiles } from "../../../src/state/files/localFiles.js";
import { openStore } from "../../../src/state/openStore.js";
import { inProcess } from "../../support/filesProcess.js";
import { mountDisk, testWithMounts } from "../../support/smallDisk.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const bundlesOf = (home: string) => localFiles(locateHome(home, {})).bundles;
const content = (...chunks: readonly string[]) => chunks.map((chunk) => Buffer.from(chunk));
async function* stream(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}
const hash = (text: string) => createHash("sha256").update(text).digest("hex");

test("the same content is kept once, under its hash, for nobody else", async () => {
  const home = temporaryDirectory();
  const bundles = bundlesOf(home);
  const first = await bundles.put(stream(content("pro", "gram")));
  expect(first).toEqual({ sha256: hash("program"), size: 7 });
  expect(await bundles.put(stream(content("program")))).toEqual(first);
  await bundles.put(stream(content("another")));
  expect(readdirSync(join(home, "bundles")).sort()).toEqual(
    [`${hash("another")}.tar`, `${hash("program")}.tar`].sort(),
  );
  expect(statSync(join(home, "bundles")).mode & 0o777).toBe(0o700);
  expect(statSync(join(home, "bundles", `${first.sha256}.tar`)).mode & 0o777).toBe(0o600);
  expect((await buffer(await bundles.open(first))).toString()).toBe("program");
});

test("content that breaks off is thrown as it is, and leaves nothing", async () => {
  const home = temporaryDirectory();
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(500_000);
    throw new RangeError("it changed while it was read");
  }
  await expect(bundlesOf(home).put(broken())).rejects.toThrow(RangeError);
  expect(readdirSync(join(home, "bundles"))).toEqual([]);
});

test("one that vanished, or was cut, is told by its file and what helps; putting it again mends it", async () => {
  const home = temporaryDirectory();
  const bundles = bundlesOf(home);
  const bundle = await bundles.put(stream(content("program")));
  const path = join(home, "bundles", `${bundle.sha256}.tar`);
  rmSync(path);
  const gone = await bundles.open(bundle).catch((error: unknown) => error);
  expect(gone).toBeInstanceOf(FileError);
  expect(gone).toMatchObject({
    message: `the bundle ${path} is missing`,
    remedy: expect.stringContaining("bootlevel reload"),
  });
  await bundles.put(stream(content("program")));
  truncateSync(path, 3);
  await expect(bundles.open(bundle)).rejects.toThrow(`the bundle ${path} has 3 bytes instead of 7`);
  await bundles.put(stream(content("program")));
  expect((await buffer(await bundles.open(bundle))).toString()).toBe("program");
});

test("processes that put the same bundle at once all succeed, and it is whole", async () => {
  const home = temporaryDirectory();
  const work = `
    const some = [];
    for (let round = 0; round < 20; round += 1) {
      async function* content() { for (let part = 0; part < 20; part += 1) yield Buffer.alloc(65536, round + 1); }
      const bundle = await files.bundles.put(content());
      let read = 0;
      for await (const chunk of await files.bundles.open(bundle)) read += chunk.length;
      if (read !== bundle.size) throw new Error("it has " + read + " bytes");
      some.push(bundle.sha256);
    }
    return some;`;
  const [one, ...others] = await Promise.all([1, 2, 3].map(() => inProcess(home, work)));
  expect(one).toHaveLength(20);
  for (const other of others) expect(other).toEqual(one);
  expect(readdirSync(join(home, "bundles")).sort()).toEqual((one as string[]).map((name) => `${name}.tar`).sort());
});

test("a user without access is told the file, and what helps", async () => {
  const home = temporaryDirectory();
  const bundle = await bundlesOf(home).put(stream(content("program")));
  chmodSync(home, 0o755);
  // As root the test leaves the mode as it is: the child is somebody else. As another user it takes its own rights away.
  if (process.getuid?.() !== 0) chmodSync(join(home, "bundles"), 0);
  const put = `async function* content() { yield Buffer.from("x"); } return files.bundles.put(content());`;
  const asNobody = { unprivileged: true };
  expect(await inProcess(home, `await files.bundles.open(${JSON.stringify(bundle)})`, asNobody)).toEqual({
    name: "FileError",
    message: expect.stringMatching(new RegExp(`^cannot read ${join(home, "bundles", bundle.sha256)}.tar: EACCES`)),
    remedy: `give your user the rights to ${join(home, "bundles")} and all that is in it, or run the command as its owner`,
  });
  expect(await inProcess(home, put, asNobody)).toEqual({
    name: "FileError",
    message: expect.stringMatching(/^cannot write .*bundles.*: EACCES/),
    remedy: `give your user the rights to ${home} and all that is in it, or run the command as its owner`,
  });
  chmodSync(join(home, "bundles"), 0o700);
});

testWithMounts("a full disk is told by its file and what helps, and an earlier bundle stays", async () => {
  const disk = mountDisk(1);
  const bundles = bundlesOf(disk.directory);
  const bundle = await bundles.put(stream(content("program")));
  const large = Array.from({ length: 40 }, () => Buffer.alloc(65_536));
  await expect(bundles.put(stream(large))).rejects.toMatchObject({
    name: "FileError",
    message: expect.stringMatching(/^cannot write .*ENOSPC/),
    remedy: `the disk is full: make room in ${disk.directory} and repeat the command; everything recorded so far is safe`,
  });
  expect(readdirSync(join(disk.directory, "bundles"))).toEqual([`${bundle.sha256}.tar`]);
});

test("a home of any name will do", async () => {
  for (const name of ["with\nnew line", 'quote\'s "and" $HOME *', "långt.tar", "-n"]) {
    const bundles = bundlesOf(join(temporaryDirectory(), name));
    const bundle = await bundles.put(stream(content(name)));
    expect((await buffer(await bundles.open(bundle))).toString()).toBe(name);
  }
});

test("a record that moves to another directory finds its bundles there", async () => {
  const directory = temporaryDirectory();
  const [before, after] = [join(directory, "before"), join(directory, "after")];
  const store = await openStore(before);
  const bundle = { ...(await store.files.bundles.put(stream(content("program")))), entry: "run.sh" };
  const plan = { name: "shop", file: join(directory, "launch.yaml"), levels: [], clouds: {} };
  const run = { name: "shop", plan: plan as never, variables: [] };
  const writer = await store.createRun({ ...run, bundles: { "web.boot": bundle, "db.boot": bundle } });
  await writer.release();
  await store.close();
  renameSync(before, after);
  const moved = await openStore(after);
  const { bundles } = await moved.plan(await moved.findRun("shop"));
  expect(bundles).toEqual({ "web.boot": bundle, "db.boot": bundle });
  expect((await buffer(await moved.files.bundles.open(bundles["db.boot"] as typeof bundle))).toString()).toBe(
    "program",
  );
  await moved.close();
});

test("the launcher's folders lie below its home, whatever a driver is called", () => {
  const folders = launcherFolders(locateHome("/home/op/state", {}));
  expect(folders.installation).toBe("/home/op/state");
  expect(folders.driver("a/../b")).toBe("/home/op/state/drivers/a_.._b");
  expect(folders.launcher("uid")).toBe("/home/op/state/runs/uid/launcher");
});
