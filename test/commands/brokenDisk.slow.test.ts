/** Disks of the launcher that are full, or fail at one call: told in one way, no machine is lost, and nothing hangs. */
import { existsSync, mkdirSync, readdirSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { failingFiles } from "../support/failingFiles.js";
import { CLI, installation, startProgram, type Installation } from "../support/installation.js";
import { randomBelow } from "../support/seed.js";
import { mountDisk, testWithMounts } from "../support/smallDisk.js";

/** The time limit is longer than the test's: a command that waits for it fails the test. */
const PLAN = `plan: shop
clouds: { here: { driver: local } }
defaults: { cloud: here, timeout: 20m }
levels:
  - services:
      web: { boot: { program: boot.sh }, ready: { command: "true" } }
`;
const FILES = { "boot.sh": "#!/bin/sh\necho booted\n" };

const entries = (folder: string) =>
  existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".")) : [];

function localMachines({ home }: Installation): string[] {
  return [...entries(join(home, "drivers/local/claims")), ...entries(join(home, "drivers/local/machines"))];
}

testWithMounts("local machines on a disk with little room: each boot ends, and says what helps", async () => {
  const own = installation();
  const folder = own.plan(PLAN, FILES);
  const disk = mountDisk(1);
  mkdirSync(own.home, { mode: 0o700 });
  symlinkSync(disk.directory, join(own.home, "drivers"));
  for (const blocks of [0, 3, 5, 7, 9]) {
    const { bavail, bsize } = statfsSync(disk.directory);
    writeFileSync(join(disk.directory, "filling"), Buffer.alloc((bavail - blocks) * bsize));
    const ended = await own.json(["boot", folder, "--name", "shop"]);
    if (ended.code !== 0) {
      const [{ remedy }] = ended.document.failures;
      expect({ blocks, code: ended.code, remedy }).toEqual({
        blocks,
        code: 1,
        remedy: expect.stringMatching(/make room (in|on)/),
      });
    }
    disk.makeRoom();
    expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
    expect(entries(join(disk.directory, "local/claims"))).toEqual([]);
  }
  disk.unmount();
});

testWithMounts("a program that fills the state's disk goes on, and the loss is told", async () => {
  const own = installation();
  const disk = mountDisk(6);
  const env = { BOOTLEVEL_HOME: join(disk.directory, "home") };
  mkdirSync(env.BOOTLEVEL_HOME, { mode: 0o700 });
  mkdirSync(join(own.directory, "drivers"));
  symlinkSync(join(own.directory, "drivers"), join(env.BOOTLEVEL_HOME, "drivers"));
  writeFileSync(join(disk.directory, "spare"), Buffer.alloc(2 * 1024 * 1024));
  const folder = own.plan(PLAN, {
    "boot.sh": `#!/bin/sh
i=0; while [ $i -lt 120 ]; do head -c 65536 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done
rm '${join(disk.directory, "spare")}'; echo last
`,
  });
  const boot = await own.call(["boot", folder, "--name", "shop"], { env });
  expect(boot).toMatchObject({ code: 0, stderr: "" });
  const told =
    /warning web: output of its boot program is lost, and the program goes on: cannot write .*web\.boot\.log: ENOSPC.*the disk is full: make room in/;
  expect(boot.stdout.split("\n").filter((line) => told.test(line))).toHaveLength(1);
  const log = (await own.call(["logs", "shop", "web"], { env })).stdout;
  expect(log).toMatch(/--- \d+ characters are missing here/);
  expect(log).toContain("last");
  expect(await own.call(["terminate", "shop", "--yes"], { env })).toMatchObject({ code: 0 });
  disk.unmount();
});

test("terminate needs few open files, however many processes there are", async () => {
  const own = installation();
  const folder = own.plan(PLAN, {
    "boot.sh": "#!/bin/sh\ni=0; while [ $i -lt 150 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); done\n",
  });
  expect(await own.call(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0 });
  const line = 'ulimit -n 90; exec "$0" "$1" terminate shop --yes';
  const env = { PATH: process.env["PATH"] ?? "", HOME: own.directory, BOOTLEVEL_HOME: own.home };
  expect(await startProgram(["sh", "-c", line, process.execPath, CLI], { env }).ended).toMatchObject({ code: 0 });
  expect(localMachines(own)).toEqual([]);
});

const CODES = ["ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE"];

test.each([1, 2, 3, 4, 5])(
  "a call of the file system that fails: no stack, no hang, nothing is left (%d)",
  async () => {
    const probe = installation();
    const counted = failingFiles(probe.directory, probe.home);
    const words = (own: Installation) => ["boot", own.plan(PLAN, FILES), "--name", "shop"];
    expect(await probe.call(words(probe), { env: counted.env(0, "") })).toMatchObject({ code: 0 });
    const calls = counted.calls();
    expect(calls.length).toBeGreaterThan(30);
    for (const at of [1 + randomBelow(calls.length), 1 + randomBelow(calls.length)]) {
      const own = installation();
      const code = CODES[randomBelow(CODES.length)] as string;
      const what = `${code} at call ${at}, ${calls[at - 1] ?? ""}`;
      const failing = failingFiles(own.directory, own.home);
      const { stderr, stdout, code: exitCode } = await own.call(words(own), { env: failing.env(at, code) });
      expect({ what, stderr }).toEqual({ what, stderr: expect.not.stringMatching(/bug in bootlevel|\n\s+at /) });
      expect({ what, exitCode, told: (stderr + stdout).includes(code) }).toEqual({
        what,
        exitCode: expect.any(Number),
        told: exitCode !== 0 || expect.any(Boolean),
      });
      const terminated = await own.call(["terminate", "shop", "--yes"]);
      const isUnknown = terminated.stderr.includes("no run");
      expect({ what, terminated }).toEqual({ what, terminated: expect.objectContaining({ code: isUnknown ? 2 : 0 }) });
      expect({ what, left: localMachines(own) }).toEqual({ what, left: [] });
    }
  },
);
