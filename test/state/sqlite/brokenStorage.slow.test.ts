/** Storage that breaks: said clearly, nothing overwritten, and once it is mended the next command carries on. */
import { createHash } from "node:crypto";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { eventually } from "../../support/eventually.js";
import { installation, type Ended, type Installation } from "../../support/installation.js";
import { mountDisk, testWithMounts } from "../../support/smallDisk.js";
import { filesBelow } from "../../support/traces.js";

/** Twelve services after one whose boot program waits for the fact "go". */
function plan(own: Installation): string {
  const { facts } = own;
  return own.plan(`plan: broken
levels:
  - services:
      a: { boot: { command: "echo >>'${facts}/begun'; until test -e '${facts}/go'; do sleep 0.02; done" } }
  - services:
      b: { replicas: 12, boot: { command: "echo x >>'${facts}/\${self.instance_id}'" } }
`);
}

/** A command that ends in the middle of its work says what may still run. */
const LEFT = /bootlevel: run r is left as it is\. [^\n]* Terminate it: bootlevel terminate r\n$/;

/** What a command says that cannot use the state: one sentence and what helps, and no stack. */
function expectRefusal(ended: Ended, sentence: RegExp, remedy: RegExp): void {
  expect(ended).toMatchObject({ code: 2 });
  const said = ended.stderr.replace(LEFT, "");
  const [, first, second, ...more] = /^([^\n]*)\n {2}([^\n]+)\n$/.exec(said) ?? [said, said, ""];
  expect(first).toMatch(sentence);
  expect(second).toMatch(remedy);
  expect(more).toEqual([]);
}

function localMachines(home: string): string[] {
  const claims = join(home, "drivers/local/claims");
  return existsSync(claims) ? readdirSync(claims).filter((name) => !name.startsWith(".")) : [];
}

const hash = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

testWithMounts("a disk that is full in the middle of a boot", async () => {
  const own = installation();
  const disk = mountDisk(8);
  const env = { BOOTLEVEL_HOME: join(disk.directory, "home") };
  // The machines have a disk of their own.
  mkdirSync(env.BOOTLEVEL_HOME);
  mkdirSync(join(own.directory, "drivers"));
  symlinkSync(join(own.directory, "drivers"), join(env.BOOTLEVEL_HOME, "drivers"));
  try {
    const boot = own.start(["boot", plan(own), "--name", "r"], { env });
    await eventually("the boot program runs", () => own.fact("begun"));
    disk.fill();
    own.plan("", { go: "" }, "facts");
    expectRefusal(
      await boot.ended,
      /^bootlevel: the state database .* cannot be used: .*\((SQLITE_FULL|SQLITE_IOERR.*)\)$/,
      /make room/,
    );
    const refused = await own.call(["boot", "--resume", "r"], { env });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).not.toMatch(/\n\s+at /);
    disk.makeRoom();
    expect(await own.call(["boot", "--resume", "r"], { env })).toMatchObject({ code: 0, stderr: "" });
    expect(own.fact("begun")).toBe("\n");
    expect(localMachines(env.BOOTLEVEL_HOME)).toHaveLength(13);
    expect(await own.call(["terminate", "r", "--yes"], { env })).toMatchObject({ code: 0 });
    expect(localMachines(env.BOOTLEVEL_HOME)).toEqual([]);
  } finally {
    disk.unmount();
  }
});

testWithMounts("a disk that is read-only", async () => {
  const own = installation();
  const disk = mountDisk(8);
  const env = { BOOTLEVEL_HOME: join(disk.directory, "home") };
  own.plan("", { go: "" }, "facts");
  try {
    expect(await own.call(["boot", plan(own), "--name", "r"], { env })).toMatchObject({ code: 0 });
    const before = hash(join(env.BOOTLEVEL_HOME, "bootlevel.db"));
    disk.setReadOnly(true);
    for (const words of [["repair", "r"], ["terminate", "r", "--yes"], ["boot", plan(own)], ["list"]]) {
      expectRefusal(
        await own.call(words, { env }),
        /^bootlevel: the state database .*bootlevel\.db cannot be used: .*(read-only|readonly)/,
        /make the file and its directory writable/,
      );
    }
    disk.setReadOnly(false);
    expect(hash(join(env.BOOTLEVEL_HOME, "bootlevel.db"))).toBe(before);
    expect(await own.call(["terminate", "r", "--yes"], { env })).toMatchObject({ code: 0 });
    expect(localMachines(env.BOOTLEVEL_HOME)).toEqual([]);
  } finally {
    disk.unmount();
  }
});

/** Overwrites bytes of a file. */
function spoil(file: string, at: number, bytes: number): void {
  const fd = openSync(file, "r+");
  writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, at);
  closeSync(fd);
}

test.each([
  {
    what: "whose header is garbage",
    spoilIt: (file: string) => {
      spoil(file, 0, 100);
    },
  },
  {
    what: "with spoilt pages",
    spoilIt: (file: string) => {
      for (let page = 1; page * 4096 < statSync(file).size; page += 1) spoil(file, page * 4096, 64);
    },
  },
  {
    what: "that was cut off",
    spoilIt: (file: string) => {
      truncateSync(file, 4096 * 3);
    },
  },
])("a database $what is refused and left alone, and its copy carries on", async ({ spoilIt }) => {
  const own = installation();
  own.plan("", { go: "" }, "facts");
  expect(await own.call(["boot", plan(own), "--name", "r"])).toMatchObject({ code: 0 });
  const file = join(own.home, "bootlevel.db");
  cpSync(file, join(own.directory, "copy"));
  spoilIt(file);
  const before = hash(file);
  for (const words of [["terminate", "r", "--yes"], ["repair", "r"], ["list"], ["boot", plan(own)]]) {
    expectRefusal(
      await own.call(words),
      /^bootlevel: the state database .*bootlevel\.db cannot be used: /,
      /nothing was overwritten/,
    );
  }
  expect(hash(file)).toBe(before);
  cpSync(join(own.directory, "copy"), file);
  expect(await own.call(["terminate", "r", "--yes"])).toMatchObject({ code: 0 });
  expect(localMachines(own.home)).toEqual([]);
});

test.each([0, 0.3, 0.6, 0.9])(
  "what is left of a -wal file that was cut off at %d of its length is enough to end every machine",
  async (part) => {
    const own = installation();
    const folder = plan(own);
    own.plan("", { go: "" }, "facts");
    expect(await own.call(["boot", folder, "--name", "r"])).toMatchObject({ code: 0 });
    // Everything that the reboot writes is in the -wal file only.
    rmSync(join(own.facts, "go"));
    rmSync(join(own.facts, "begun"));
    const reboot = own.start(["reboot", "r", "--yes"]);
    await eventually("the new machine's boot program runs", () => own.fact("begun"));
    reboot.child.kill("SIGKILL");
    await reboot.ended;
    own.plan("", { go: "" }, "facts");
    const wal = join(own.home, "bootlevel.db-wal");
    truncateSync(wal, Math.floor(statSync(wal).size * part));
    expect(await own.call(["terminate", "r", "--yes"])).toMatchObject({ code: 0, stderr: "" });
    expect(localMachines(own.home)).toEqual([]);
  },
);

test("a state directory that is removed under a running launcher ends it before it asks for more machines", async () => {
  const own = installation();
  const boot = own.start(["boot", plan(own), "--name", "r"]);
  await eventually("the boot program runs", () => own.fact("begun"));
  // What the program has in memory is known by a file that goes now.
  const memory = filesBelow(own.home)
    .filter((file) => file.endsWith("/.bl/rt-path"))
    .map((file) => readFileSync(file, "utf8").trim());
  rmSync(own.home, { recursive: true });
  own.plan("", { go: "" }, "facts");
  expectRefusal(
    await boot.ended,
    /^bootlevel: the state database .*bootlevel\.db was removed or replaced while this command used it$/,
    /bootlevel clean/,
  );
  // Nothing is made in its place.
  expect(existsSync(join(own.home, "bootlevel.db"))).toBe(false);
  expect(own.factNames().filter((name) => name.includes(".b-"))).toEqual([]);
  expect(memory).toHaveLength(1);
  for (const directory of memory) rmSync(directory, { recursive: true, force: true });
});
