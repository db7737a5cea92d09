/** A machine whose report is not home whole stays, until somebody gives up what is missing. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { boot, levels } from "../support/liveRun.js";
import { mountDisk, testWithMounts } from "../support/smallDisk.js";
import { startSshHost } from "../support/sshHost.js";
import { randomBytes } from "../support/seed.js";

const machines = (own: Installation): string[] => {
  const folder = join(own.home, "drivers", "local", "machines");
  return existsSync(folder) ? readdirSync(folder) : [];
};

/** A service that leaves a small file and one that is larger than its report may be. */
const large = (own: Installation) =>
  `a: { boot: { command: "head -c 5000 /dev/zero > big; echo small > small; echo booted" }, terminate: { command: "echo x >> '${own.facts}/terminated'" }, report: { patterns: [big, small], file_limit: 4KiB, limit: 1MiB } }`;

const cut = { file: "files/big", bytes: 5000, kept: 4096 };

test("terminate keeps a machine whose report was cut by a limit, and its terminate program does not run", async () => {
  const own = installation();
  await boot(own, own.plan(levels("cut", [large(own)])), "cut");
  const { code, document } = await own.json(["terminate", "cut"]);
  expect(code).toBe(1);
  expect(document.runs).toMatchObject([
    {
      state: "failed",
      terminated: [],
      failures: [
        {
          service: "a",
          step: "report",
          message: expect.stringMatching(
            /^its report is not home, so its machine was kept: files\/big was cut off after 4KiB of 4\.9KiB: the limit is 4KiB a file/,
          ),
          remedy: expect.stringContaining("--force"),
        },
      ],
    },
  ]);
  expect([machines(own).length, own.fact("terminated")]).toEqual([1, null]);
  // The logs and what fits are there, and the archive itself says what is missing.
  expect((await own.call(["reports", "cut", "--open", "small"])).stdout).toBe("small\n");
  expect((await own.call(["reports", "cut", "--open", "boot.log"])).stdout).toContain("booted");
  const about = JSON.parse((await own.call(["reports", "cut", "--open", "about.json"])).stdout);
  expect(about.content).toMatchObject({ complete: false, cut: [cut] });

  const collected = await own.json(["reports", "cut", "--collect"]);
  expect(collected).toMatchObject({
    code: 1,
    document: { collected: [{ service: "a", complete: false, home: false, cut: [cut] }] },
  });
  const told = await own.call(["terminate", "cut", "--yes"]);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain("its report is not home, so its machine was kept");
  expect(await own.call(["terminate", "cut", "--yes", "--no-reports"])).toMatchObject({ code: 0 });
  expect([machines(own), own.fact("terminated")]).toEqual([[], "x\n"]);
});

test("--force ends such a machine, and says what is missing; a limit that is raised brings all home", async () => {
  const own = installation();
  await boot(own, own.plan(levels("cut", [large(own)])), "forced");
  const forced = await own.call(["terminate", "forced", "--yes", "--force"]);
  expect(forced.code).toBe(0);
  expect(forced.stderr + forced.stdout).toContain("files/big was cut off after 4KiB of 4.9KiB");
  expect(machines(own)).toEqual([]);

  await boot(own, own.plan(levels("cut", [large(own)])), "raised");
  expect((await own.call(["terminate", "raised", "--yes"])).code).toBe(1);
  expect((await own.call(["terminate", "raised", "--yes", "--report-limit", "lots"])).code).toBe(2);
  expect(await own.call(["terminate", "raised", "--yes", "--report-limit", "8KiB"])).toMatchObject({ code: 0 });
  expect((await own.call(["reports", "raised", "--open", "big"])).stdout).toHaveLength(5000);
}, 60_000);

test("run keeps it too, whatever `keep` says, and is no success; run --force ends it and is none either", async () => {
  const own = installation();
  const folder = own.plan(levels("cut", [large(own)], "keep: never\n"));
  const kept = await own.json(["run", folder, "--name", "kept"]);
  expect(kept.code).toBe(1);
  expect(kept.document).toMatchObject({
    success: true,
    keep: "never",
    reports: [{ service: "a", home: false, cut: [cut] }],
    terminated: { state: "failed", terminated: [], failures: [{ service: "a", step: "report" }] },
  });
  expect([machines(own).length, own.fact("terminated")]).toEqual([1, null]);
  const forced = await own.call(["run", folder, "--name", "forced", "--force"]);
  expect(forced.code).toBe(1);
  expect(forced.stdout).toContain("Reports that are not home: a.");
  expect(forced.stdout).toContain("No machine is left: 1 machine ended.");
  expect([machines(own).length, own.fact("terminated")]).toEqual([1, "x\n"]);
}, 60_000);

test("a machine that repair replaces on request stays until its report is home, or is given up", async () => {
  const own = installation();
  await boot(own, own.plan(levels("cut", [large(own)])), "cut");
  const before = machines(own);
  const refused = await own.call(["repair", "cut", "--replace", "a"]);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain("its report is not home, so its machine was kept");
  expect(machines(own)).toEqual(before);
  expect(await own.call(["repair", "cut", "--replace", "a", "--force"])).toMatchObject({ code: 0 });
  expect(machines(own)).not.toEqual(before);
}, 60_000);

test("a machine that cannot be reached stays, unless its whole report is home already", async () => {
  const host = await startSshHost();
  const own = installation();
  const ssh = `ssh: { host_keys: known-hosts, known_hosts: ${host.knownHosts}, identity: ${host.identity}, user: ${host.user}, connect_timeout: 5s }`;
  const rack = `defaults: { ${ssh}, timeout: 5s }\nclouds: { rack: { driver: existing, hosts: [{ host: ${host.address}, port: ${host.port} }] } }\n`;
  try {
    await boot(
      own,
      own.plan(levels("far", ["a: { boot: { command: 'echo 1 > state' }, report: { patterns: [state] } }"], rack)),
      "far",
    );
  } finally {
    await host.stop();
  }
  const { code, document } = await own.json(["terminate", "far"]);
  expect(code).toBe(1);
  expect(document.runs[0].failures).toMatchObject([
    { step: "report", message: expect.stringContaining("its machine cannot be reached") },
  ]);
  expect(await own.call(["terminate", "far", "--yes", "--force"])).toMatchObject({ code: 0 });
}, 60_000);

testWithMounts("with the launcher's disk full, the machine stays; with room again, its report comes home", async () => {
  const disk = mountDisk(8);
  const own = installation();
  const env = { BOOTLEVEL_HOME: join(disk.directory, "home") };
  const data = join(own.directory, "data.bin");
  writeFileSync(data, randomBytes(3_000_000));
  const folder = own.plan(levels("full", [`a: { boot: { command: "true" }, report: { patterns: ['${data}'] } }`]));
  expect((await own.call(["boot", folder, "--name", "full"], { env })).code).toBe(0);
  writeFileSync(join(disk.directory, "ballast"), Buffer.alloc(5_500_000, 1));
  const { code, document } = await own.json(["terminate", "full"], { env });
  expect(code).toBe(1);
  expect(document.runs[0]).toMatchObject({
    terminated: [],
    failures: [{ step: "report", message: expect.stringMatching(/not home.*ENOSPC/) }],
  });
  writeFileSync(join(disk.directory, "ballast"), "");
  expect(await own.call(["terminate", "full", "--yes"], { env })).toMatchObject({ code: 0 });
  const { document: listed } = await own.json(["reports", "full"], { env });
  expect(listed.reports[0].files[0]).toMatchObject({ file: `files${data}`, bytes: 3_000_000 });
});

test("a launcher killed between the report and the machine's end starts with the report again, and the machine stays", async () => {
  const own = installation();
  await boot(own, own.plan(levels("cut", [large(own)])), "killed");
  const run = own.start(["terminate", "killed", "--yes", "--verbose"]);
  run.child.stdout?.once("data", () => run.child.kill("SIGKILL"));
  run.child.stderr?.once("data", () => run.child.kill("SIGKILL"));
  await run.ended;
  expect((await own.call(["terminate", "killed", "--yes"])).code).toBe(1);
  expect([machines(own).length, own.fact("terminated")]).toEqual([1, null]);
});
