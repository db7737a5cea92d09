/** What goes into an archive, and what does not. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { gather, type GatherParts } from "../../../src/engine/reports/gather.js";
import { listMembers, readManifest } from "../../../src/state/files/archiveReader.js";
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
    signal: new AbortController().signal,
    ...change,
  };
}

const files = async ({ archive }: Given) => (await listMembers(archive.path)).map(({ file }) => file);

test("what it says of itself comes first, then the service's own logs, then files", async () => {
  writeFileSync(join(host.directory, "a1"), "1");
  const given = await parts();
  expect(await gather(given)).toMatchObject({ files: 3, leftOut: [], problem: null, fetched: [{ notes: [] }] });
  expect(await files(given)).toEqual(["about.json", "logs/boot.log", "files/a1"]);
  expect(await readManifest(given.archive.path)).toEqual(about);
});

test("one that would be too large is cut off before the file that is too much, and says what helps", async () => {
  for (const name of ["a1", "a2", "a3"]) writeFileSync(join(host.directory, name), Buffer.alloc(400_000));
  const given = await parts();
  const gathered = await gather(given);
  expect(gathered.problem).toEqual({
    lost: false,
    message: expect.stringMatching(
      /cut off before files\/a3: a report holds at most 1 MiB, .*name less in its patterns/,
    ),
  });
  expect(await files(given)).toEqual(["about.json", "logs/boot.log", "files/a1", "files/a2"]);
});

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
