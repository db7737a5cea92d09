/** An archive that stays well-formed, whatever breaks off. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";

import { expect, test } from "@jest/globals";

import { ArchiveError, LimitError } from "../../../src/state/contract/fileErrors.js";
import { listMembers, openMember, readManifest } from "../../../src/state/files/archiveReader.js";
import { ArchiveWriter } from "../../../src/state/files/archiveWriter.js";
import { mountDisk, testWithMounts } from "../../support/smallDisk.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const mtime = new Date(1_700_000_000_000);
const member = (name: string) => ({ name, mode: 0o640, mtime });
const content = (...chunks: readonly Buffer[]) => Readable.from(chunks) as AsyncIterable<Buffer>;
const zeros = (size: number) =>
  content(
    ...Array.from({ length: Math.ceil(size / 65_536) }, (_, index) =>
      Buffer.alloc(Math.min(65_536, size - index * 65_536)),
    ),
  );

async function read(path: string, file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of openMember(path, file)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("what is written can be listed and read, by tar too; nobody else may", async () => {
  const path = join(temporaryDirectory(), "a.tar.gz");
  const archive = new ArchiveWriter(path, 1_000_000);
  await archive.addText("about.json", '{"run":"shop"}', mtime);
  await archive.addFile(member("files/new\nline"), 10, content(Buffer.from("12345"), Buffer.from("67890")));
  await archive.addFile(member("files/empty"), 0, content());
  archive.addDirectory({ ...member("files/closed"), mode: 0 });
  archive.addLink({ name: "files/l", label: "l", target: "files/empty", written: "empty", mtime });
  archive.addLink({ name: "files/circle", label: "circle", target: "files/circle", written: "circle", mtime });
  archive.addLink({ name: "files/nothing", label: "nothing", target: "files/gone", written: "gone", mtime });
  expect(await archive.finish()).toEqual(["circle", "nothing"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await listMembers(path)).toEqual([
    { file: "about.json", bytes: 14, modifiedAt: mtime.getTime(), linkTo: null },
    { file: "files/new\nline", bytes: 10, modifiedAt: mtime.getTime(), linkTo: null },
    { file: "files/empty", bytes: 0, modifiedAt: mtime.getTime(), linkTo: null },
    { file: "files/l", bytes: 0, modifiedAt: mtime.getTime(), linkTo: "files/empty" },
  ]);
  expect((await read(path, "files/new\nline")).toString()).toBe("1234567890");
  expect(await readManifest(path)).toEqual({ run: "shop" });
  expect(execFileSync("tar", ["-tzf", path], { encoding: "utf8" }).split("\n")).toHaveLength(6);
});

test("a file whose content breaks off is filled up, and what broke is thrown; the next one is whole", async () => {
  const path = join(temporaryDirectory(), "a.tar.gz");
  const archive = new ArchiveWriter(path, 1_000_000);
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from("abc");
      throw new RangeError("gone");
    })(),
  ) as AsyncIterable<Buffer>;
  await expect(archive.addFile(member("files/a"), 100_000, broken)).rejects.toThrow(RangeError);
  await archive.addFile(member("files/b"), 1, content(Buffer.from("b")));
  await archive.finish();
  expect(archive.brokenOff).toEqual(["files/a"]);
  const written = await read(path, "files/a");
  expect([written.length, written.subarray(0, 4).toString("latin1"), (await read(path, "files/b")).toString()]).toEqual(
    [100_000, "abc\0", "b"],
  );
});

test("no file is begun that would make it larger than it may be", async () => {
  const path = join(temporaryDirectory(), "a.tar.gz");
  const archive = new ArchiveWriter(path, 100);
  await archive.addFile(member("files/a"), 60, zeros(60));
  await expect(archive.addFile(member("files/b"), 41, zeros(41))).rejects.toThrow(LimitError);
  await archive.addFile(member("files/c"), 40, zeros(40));
  await archive.finish();
  expect((await listMembers(path)).map(({ file }) => file)).toEqual(["files/a", "files/c"]);
});

testWithMounts("a full disk ends it with its own words, and nothing hangs", async () => {
  const disk = mountDisk(1);
  const archive = new ArchiveWriter(join(disk.directory, "a.tar.gz"), 1e9);
  const random = content(...Array.from({ length: 100 }, () => randomBytes(65_536)));
  await expect(archive.addFile(member("files/a"), 6_553_600, random).then(() => archive.finish())).rejects.toThrow(
    ArchiveError,
  );
  await archive.abandon();
  await expect(archive.finish()).rejects.toThrow(/ENOSPC/);
});

test("an archive that was cut off or is none is told as damaged", async () => {
  const directory = temporaryDirectory();
  const archive = new ArchiveWriter(join(directory, "a.tar.gz"), 1_000_000);
  await archive.addFile(member("files/a"), 500_000, content(randomBytes(500_000)));
  await archive.finish();
  writeFileSync(join(directory, "cut.tar.gz"), readFileSync(archive.path).subarray(0, 200_000));
  writeFileSync(join(directory, "text.tar.gz"), "no archive");
  for (const name of ["cut.tar.gz", "text.tar.gz"]) {
    await expect(listMembers(join(directory, name))).rejects.toThrow(`${name} cannot be read`);
    await expect(read(join(directory, name), "files/a")).rejects.toThrow(`${name} cannot be read`);
  }
  expect(await readManifest(join(directory, "text.tar.gz"))).toBeNull();
  expect(await readManifest(join(directory, "missing.tar.gz"))).toBeNull();
});
