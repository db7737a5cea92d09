/** What goes into an archive, and what does not. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { gather, type GatherParts } from "../../../src/engine/reports/gather.js";
import { listMembers, openMember, readManifest } from "../../../src/state/files/archiveReader.js";
import { ArchiveWriter } from "../../../src/state/files/archiveWriter.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import { startLocalHost, type LocalHost } from "../../support/localHost.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

let host: LocalHost;

beforeEach(async () => {
  host = await startLocalHost();
});
afterEach(() => host.stop());

const about = {
  run: "shop",
  uid: "u",
  plan: "shop",
  service: "web",
  level: "one",
  machine: null,
  collectedAt: 1_700_000_000_000,
};

type Given = GatherParts & { readonly archive: ArchiveWriter };

async function parts(change: Partial<Given> = {}): Promise<Given> {
  const home = locateHome(temporaryDirectory(), {});
  const directory = home.runDirectory(about.uid);
  mkdirSync(join(directory, "logs"), { recursive: true });
  for (const [name, text] of Object.entries({
    "web.boot.log": "booted\n",
    "web-2.boot.log": "another\n",
    "web.ready.log": "",
  }))
    writeFileSync(join(directory, "logs", name), text);
  mkdirSync(join(host.directory, "steps"), { recursive: true });
  const request = { report: null, patterns: ["a*"], base: [], sudo: false };
  return {
    archive: new ArchiveWriter(join(directory, "a.tar.gz"), 1_000_000),
    about,
    logs: localFiles(home).logs,
    fetches: [{ connection: await host.link.connection(), request }],
    limits: { bytes: 1_000_000, fileBytes: 1_000_000 },
    redact: (text) => text,
    signal: new AbortController().signal,
    ...change,
  };
}

const files = async ({ archive }: Given) => (await listMembers(archive.path)).map(({ file }) => file);

test("what it says of itself comes first, then files, then the service's own logs", async () => {
  writeFileSync(join(host.directory, "a1"), "1");
  const given = await parts();
  expect(await gather(given)).toMatchObject({ files: 3, leftOut: [], problem: null, fetched: [{ notes: [] }] });
  expect(await files(given)).toEqual(["about.json", "files/a1", "logs/boot.log"]);
  const content = { complete: true, files: 3, bytes: 8, cut: [], missing: [] };
  expect(await readManifest(given.archive.path)).toEqual({ ...about, content });
});

test("a file that does not fit is left out and named, in the manifest too; smaller ones after it and logs are there", async () => {
  for (const [name, size] of Object.entries({ a1: 400_000, a2: 400_000, a3: 400_000, a4: 100_000 }))
    writeFileSync(join(host.directory, name), Buffer.alloc(size, "x"));
  const given = await parts();
  const cut = [{ file: "files/a3", bytes: 400_000, kept: 0 }];
  expect(await gather(given)).toMatchObject({ problem: null, leftOut: [], cut, moreCut: 0 });
  expect(await files(given)).toEqual(["about.json", "files/a1", "files/a2", "files/a4", "logs/boot.log"]);
  expect((await readManifest(given.archive.path))?.content).toMatchObject({ complete: false, cut });
});

test("of a file that is too large, the beginning is kept; logs do not count", async () => {
  writeFileSync(join(host.directory, "a1"), Buffer.concat([Buffer.alloc(1000, "a"), Buffer.alloc(1000, "b")]));
  writeFileSync(join(host.directory, "a2"), "2");
  const given = await parts({ limits: { fileBytes: 1000, bytes: 1_000_000 } });
  writeFileSync(given.logs.location("u", { service: "web", step: "boot" }), Buffer.alloc(5_000_000, "l"));
  expect(await gather(given)).toMatchObject({
    problem: null,
    cut: [{ file: "files/a1", bytes: 2000, kept: 1000 }],
  });
  expect(await listMembers(given.archive.path)).toMatchObject([
    { file: "about.json" },
    { file: "files/a1", bytes: 1000 },
    { file: "files/a2", bytes: 1 },
    { file: "logs/boot.log", bytes: 5_000_000 },
  ]);
  expect(await text(openMember(given.archive.path, "files/a1"))).toBe("a".repeat(1000));
});

test("a file with holes counts by its data, and comes whole: for bootlevel's own readers and for tar", async () => {
  const path = join(host.directory, "a.img");
  writeFileSync(path, "");
  truncateSync(path, 150_000_000);
  const file = openSync(path, "r+");
  writeSync(file, "in the middle", 75_000_000);
  closeSync(file);
  const given = await parts();
  expect(await gather(given)).toMatchObject({ problem: null, cut: [], leftOut: [] });
  expect((await listMembers(given.archive.path))[1]).toMatchObject({ file: "files/a.img", bytes: 150_000_000 });
  const [sum, size] = await hash(openMember(given.archive.path, "files/a.img"));
  expect([sum, size]).toEqual(await hash(createReadStream(path)));
  execFileSync("tar", ["-xzf", given.archive.path, "-C", host.directory, "files/a.img"]);
  const unpacked = statSync(join(host.directory, "files/a.img"));
  expect(unpacked.size).toBe(150_000_000);
  expect(unpacked.blocks).toBeLessThan(10_000);
  expect(statSync(given.archive.path).size).toBeLessThan(100_000);
});

async function hash(content: AsyncIterable<Buffer>): Promise<[string, number]> {
  const sum = createHash("md5");
  let size = 0;
  for await (const chunk of content) {
    sum.update(chunk);
    size += chunk.length;
  }
  return [sum.digest("hex"), size];
}

test("what takes too long, or a connection that is closed, leaves what there is until then", async () => {
  const aborted = await parts({ signal: AbortSignal.abort(new Error("it took too long")) });
  expect((await gather(aborted)).problem).toMatchObject({
    message: expect.stringContaining("it took too long"),
    lost: false,
  });
  expect(await files(aborted)).toEqual(["about.json", "logs/boot.log"]);
  const closed = await parts();
  await host.link.close();
  expect((await gather(closed)).problem).toMatchObject({ lost: true });
});
