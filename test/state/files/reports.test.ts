/** Archives of reports: seen when they are whole, and not before. */
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";

import { expect, test } from "@jest/globals";

import { LimitError } from "../../../src/state/contract/fileErrors.js";
import type { ReportFiles } from "../../../src/state/contract/files.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import { inProcess } from "../../support/filesProcess.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const reportsOf = (home: string) => localFiles(locateHome(home, {})).reports;
const mtime = new Date(1_700_000_000_000);
const member = (name: string) => ({ name, mode: 0o600, mtime });
const folder = (home: string) => join(home, "runs/uid/reports");

async function keep(reports: ReportFiles, service: string, words: string): Promise<void> {
  await reports.prepare("uid", service);
  const draft = await reports.begin("uid", service, 1_000_000);
  await draft.addText("about.json", JSON.stringify({ service }), mtime);
  await draft.addText("files/words", words, mtime);
  await draft.finish();
  await draft.keep();
  await draft.discard();
}

const words = (reports: ReportFiles, archive: string) => text(reports.openMember("uid", archive, "files/words"));

test("a report is seen when it is kept, for nobody else, and takes the place of the one before", async () => {
  const home = temporaryDirectory();
  const reports = reportsOf(home);
  expect(await reports.list("uid")).toEqual([]);
  await keep(reports, "web-1", "first");
  const draft = await reports.begin("uid", "web-1", 1_000_000);
  await draft.addText("files/words", "second", mtime);
  await draft.finish();
  expect(await words(reports, "web-1")).toBe("first");
  expect((await reports.list("uid")).map(({ archive }) => archive)).toEqual(["web-1"]);
  await draft.keep();
  expect(await words(reports, "web-1")).toBe("second");
  const path = join(folder(home), "web-1.tar.gz");
  expect(await reports.list("uid")).toEqual([
    { archive: "web-1", service: "web-1", generation: null, location: path, bytes: statSync(path).size },
  ]);
  expect(reports.location("uid", "web-1")).toBe(path);
  expect([statSync(path).mode & 0o777, statSync(folder(home)).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(await buffer(await reports.open("uid", "web-1"))).toEqual(readFileSync(path));
});

test("one that is discarded leaves the one before, and no file; what a dead launcher left goes, its own alone", async () => {
  const home = temporaryDirectory();
  const reports = reportsOf(home);
  await keep(reports, "web-1", "first");
  const draft = await reports.begin("uid", "web-1", 1_000_000);
  await draft.addText("files/words", "second", mtime);
  await draft.discard();
  await draft.discard();
  writeFileSync(join(folder(home), ".web-1.tar.gz.dead"), "");
  writeFileSync(join(folder(home), ".web-10.tar.gz.alive"), "");
  await reports.prepare("uid", "web-1");
  expect(readdirSync(folder(home)).sort()).toEqual([".web-10.tar.gz.alive", "web-1.tar.gz"]);
  expect(await words(reports, "web-1")).toBe("first");
});

test("reports of earlier machines stay under their numbers, after the newest", async () => {
  const reports = reportsOf(temporaryDirectory());
  for (const [service, generation] of [
    ["web-2", 1],
    ["web-2", 2],
    ["web-2", null],
    ["web-10", null],
  ] as const) {
    await keep(reports, service, `${service} ${generation}`);
    if (generation !== null) await reports.setAside("uid", service, { service, generation });
  }
  expect((await reports.list("uid")).map(({ archive, generation }) => [archive, generation])).toEqual([
    ["web-2", null],
    ["web-2.2", 2],
    ["web-2.1", 1],
    ["web-10", null],
  ]);
  expect(await words(reports, "web-2.1")).toBe("web-2 1");
  expect(await reports.manifest("uid", "web-10")).toEqual({ service: "web-10" });
});

test("an archive that is cut at its limit holds what fits, whole", async () => {
  const reports = reportsOf(temporaryDirectory());
  await reports.prepare("uid", "web");
  const draft = await reports.begin("uid", "web", 100);
  const zeros = (bytes: number) => Readable.from([Buffer.alloc(bytes)]) as AsyncIterable<Buffer>;
  await draft.addFile(member("files/a"), 60, zeros(60));
  await expect(draft.addFile(member("files/b"), 41, zeros(41))).rejects.toThrow(LimitError);
  await draft.finish();
  await draft.keep();
  expect(await reports.members("uid", "web")).toMatchObject([{ file: "files/a", bytes: 60 }]);
  expect([draft.files, draft.bytes]).toEqual([1, 60]);
});

test("one that is damaged or gone is told by its file, and what helps", async () => {
  const home = temporaryDirectory();
  const reports = reportsOf(home);
  await keep(reports, "web", "first");
  const path = join(folder(home), "web.tar.gz");
  writeFileSync(path, readFileSync(path).subarray(0, 40));
  const damaged = {
    name: "FileError",
    message: expect.stringContaining(`${path} cannot be read`),
    remedy: expect.stringContaining("collect the report again"),
  };
  await expect(reports.members("uid", "web")).rejects.toMatchObject(damaged);
  await expect(words(reports, "web")).rejects.toMatchObject(damaged);
  rmSync(path);
  const gone = { name: "FileError", message: expect.stringContaining(`cannot read ${path}: ENOENT`) };
  await expect(reports.members("uid", "web")).rejects.toMatchObject(gone);
  await expect(reports.open("uid", "web")).rejects.toMatchObject(gone);
  expect(await reports.manifest("uid", "web")).toBeNull();
});

test("where nothing can be written, that is told before anything is collected", async () => {
  const home = temporaryDirectory();
  mkdirSync(join(home, "runs"), { mode: 0o755 });
  chmodSync(home, 0o755);
  if (process.getuid?.() !== 0) chmodSync(join(home, "runs"), 0o500);
  const told = await inProcess(home, `await files.reports.prepare("uid", "web")`, { unprivileged: true });
  expect(told).toEqual({
    name: "FileError",
    message: expect.stringMatching(/^cannot write .*runs\/uid.*: EACCES/),
    remedy: `give your user the rights to ${home} and all that is in it, or run the command as its owner`,
  });
  chmodSync(join(home, "runs"), 0o700);
});
