/** Logs: one a service and step. */
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { expect, test } from "@jest/globals";

import type { LogFiles } from "../../../src/state/contract/files.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import { inProcess } from "../../support/filesProcess.js";
import { mountDisk, testWithMounts } from "../../support/smallDisk.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const logsOf = (home: string) => localFiles(locateHome(home, {})).logs;
const boot = (service: string) => ({ service, step: "boot" });

async function write(logs: LogFiles, service: string, text: string, step = "boot"): Promise<void> {
  const writer = await logs.open("uid", { service, step });
  writer.append(text);
  await writer.close();
}

async function textOf(logs: LogFiles, service: string, from = 0): Promise<string> {
  return (await buffer(logs.read("uid", boot(service), { from, to: 1_000_000 }))).toString();
}

test("what is added is there at once, in order, for nobody else; a second opening goes on", async () => {
  const home = temporaryDirectory();
  const logs = logsOf(home);
  const writer = await logs.open("uid", boot("web-1"));
  writer.append("one\n");
  writer.append("é\n");
  expect(await textOf(logs, "web-1")).toBe("one\né\n");
  await writer.close();
  await write(logs, "web-1", "three\n");
  expect(await textOf(logs, "web-1")).toBe("one\né\nthree\n");
  const path = join(home, "runs/uid/logs/web-1.boot.log");
  expect(logs.location("uid", boot("web-1"))).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(home, "runs/uid/logs")).mode & 0o777).toBe(0o700);
});

test("logs are listed by service and step, one replica's alone if it is asked for, and read from an offset", async () => {
  const home = temporaryDirectory();
  const logs = logsOf(home);
  expect(await logs.list("uid")).toEqual([]);
  for (const [service, step] of [
    ["web-1", "ready"],
    ["web-1", "boot"],
    ["web-10", "boot"],
    ["db~3", "terminate"],
  ] as const)
    await write(logs, service, `${service} ${step}`, step);
  writeFileSync(join(home, "runs/uid/logs/notes.txt"), "somebody's own");
  expect((await logs.list("uid")).map(({ service, step, bytes }) => `${service} ${step} ${bytes}`)).toEqual([
    "db~3 terminate 14",
    "web-1 boot 10",
    "web-1 ready 11",
    "web-10 boot 11",
  ]);
  expect((await logs.list("uid", "web-1")).map(({ step }) => step)).toEqual(["boot", "ready"]);
  expect(await textOf(logs, "web-1", 6)).toBe("boot");
  expect((await buffer(logs.read("uid", boot("web-1"), { from: 2, to: 5 }))).toString()).toBe("b-1");
  expect((await buffer(logs.read("uid", boot("web-1"), { from: 5, to: 5 }))).toString()).toBe("");
});

test("following tells what is there, then what is added, until nothing can be; last words are not missed", async () => {
  const logs = logsOf(temporaryDirectory());
  await write(logs, "a", "begun\n");
  let rounds = 0;
  const told: string[] = [];
  const chunks = logs.follow("uid", {
    choose: async (all) => all.filter(({ service }) => service !== "hidden"),
    goesOn: async () => {
      rounds += 1;
      if (rounds === 2) await write(logs, "b", "a new one\n");
      if (rounds === 3) {
        await write(logs, "a", "last words\n");
        await write(logs, "hidden", "not chosen\n");
        return false;
      }
      return true;
    },
  });
  for await (const { service, text } of chunks) told.push(`${service}: ${text}`);
  expect(told).toEqual(["a: begun\n", "b: a new one\n", "a: last words\n"]);
});

test("logs follow their services to other names, exchanged ones too; one that has the name already is continued", async () => {
  const home = temporaryDirectory();
  const logs = logsOf(home);
  for (const service of ["one", "two", "three", "taken"]) await write(logs, service, `${service}\n`);
  await write(logs, "one", "ready\n", "ready");
  await logs.rename("uid", [
    { from: "one", to: "two" },
    { from: "two", to: "one" },
    { from: "three", to: "taken" },
    { from: "nothing", to: "else" },
  ]);
  expect([await textOf(logs, "one"), await textOf(logs, "two"), await textOf(logs, "taken")]).toEqual([
    "two\n",
    "one\n",
    "taken\nthree\n",
  ]);
  expect(readdirSync(join(home, "runs/uid/logs")).sort()).toEqual([
    "one.boot.log",
    "taken.boot.log",
    "two.boot.log",
    "two.ready.log",
  ]);
  expect(statSync(join(home, "runs/uid/logs/two.ready.log")).mode & 0o777).toBe(0o600);
});

test("no name leads out of the run's folder", async () => {
  const logs = logsOf(temporaryDirectory());
  await expect(logs.open("uid", { service: "../../x", step: "boot" })).rejects.toThrow(/is not a file name/);
  await expect(logs.open("uid", { service: "x\0", step: "boot" })).rejects.toThrow(/is not a file name/);
});

test("a user without access is told the file, and what helps", async () => {
  const home = temporaryDirectory();
  await write(logsOf(home), "web", "text");
  for (const folder of ["", "runs", "runs/uid"]) chmodSync(join(home, folder), 0o755);
  if (process.getuid?.() !== 0) chmodSync(join(home, "runs/uid/logs"), 0);
  const asNobody = { unprivileged: true };
  expect(await inProcess(home, `return files.logs.list("uid")`, asNobody)).toEqual({
    name: "FileError",
    message: expect.stringMatching(/^cannot read .*runs\/uid\/logs: EACCES/),
    remedy: `give your user the rights to ${join(home, "runs/uid")} and all that is in it, or run the command as its owner`,
  });
  expect(await inProcess(home, `await files.logs.open("uid", { service: "web", step: "boot" })`, asNobody)).toEqual({
    name: "FileError",
    message: expect.stringMatching(/^cannot write .*web\.boot\.log: EACCES/),
    remedy: `give your user the rights to ${home} and all that is in it, or run the command as its owner`,
  });
  chmodSync(join(home, "runs/uid/logs"), 0o700);
});

testWithMounts("a full disk is told by the log's file and what helps", async () => {
  const disk = mountDisk(1);
  const logs = logsOf(disk.directory);
  mkdirSync(join(disk.directory, "runs"));
  const writer = await logs.open("uid", boot("web"));
  writer.append("begun\n");
  disk.fill();
  expect(() => {
    writer.append("x".repeat(65_536));
  }).toThrow(/^cannot write .*web\.boot\.log: ENOSPC/);
  await writer.close();
  disk.makeRoom();
  await write(logs, "web", "again\n");
  expect(await textOf(logs, "web")).toMatch(/^begun\n(x*)again\n$/);
});
