/**
 * The protocol under other shells and on machines that lack something: in a mount namespace of its own, where /bin/sh
 * is another one.
 */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClosableLink } from "../../../src/machines/contract/link.js";
import { createLink } from "../../support/createLink.js";
import { openLocal } from "../../../src/machines/local/localConnection.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { recoverProgram } from "../../../src/machines/program/recoverProgram.js";
import { bundleOf, requestFor } from "../../support/localHost.js";
import { attributes, usersOf } from "../../support/coordination.js";
import { isAlive, until } from "../../support/eventually.js";

let directory: string;
let link: ClosableLink;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bl-shells-"));
});
afterEach(async () => {
  await link.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A machine whose mounts are changed by `setUp` before each command. */
function machine(setUp: string, path = "/usr/sbin:/usr/bin:/sbin:/bin"): ClosableLink {
  const local = openLocal({
    directory,
    workDirectory: join(directory, "steps"),
    env: { PATH: path, HOME: directory },
    tag: "4711",
  });
  return createLink(async () => ({
    label: local.label,
    workDirectory: local.workDirectory,
    alive: true,
    open: (command: string) =>
      local.open(
        `exec /usr/bin/unshare -m /usr/bin/dash -c ${quoted(`PATH=/usr/bin:/bin:/usr/sbin; ${setUp}; PATH=${path}; ${command}`)}`,
      ),
    close: () => local.close(),
  }));
}
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A directory with these of the system's tools and no others. */
function tools(names: readonly string[], from = "/usr/bin"): string {
  const path = join(directory, "tools");
  if (existsSync(path)) return path;
  mkdirSync(path);
  for (const name of names)
    symlinkSync(existsSync(join(from, name)) ? join(from, name) : "/usr/bin/busybox", join(path, name));
  return path;
}

const NASTY = 'it\'s "a" $(touch hacked) `touch hacked` \\ \n two\n\n *; & | ✓ ā\u0081ÿ 日本 \t end\n';
const SCRIPT =
  '#!/bin/sh\nprintf %s "$1" >arg; printf %s "$VALUE" >env; cp "$BOOTLEVEL_ATTRIBUTES" attributes; echo a=b >"$BOOTLEVEL_OUTPUT"; echo out; exit 5\n';

// Without head, whose -c not every system has: dd does its work then.
const TOOLS = [
  "cat",
  "dd",
  "tar",
  "mkdir",
  "mktemp",
  "mkfifo",
  "rm",
  "mv",
  "wc",
  "id",
  "sleep",
  "grep",
  "kill",
  "env",
  "tr",
];
const busybox = existsSync("/usr/bin/busybox");
if (!busybox) console.warn("busybox is not installed: its shell is not tested (apt-get install busybox)");

const shells = [
  { name: "dash", setUp: () => machine(":") },
  { name: "bash", setUp: () => machine("mount --bind /usr/bin/bash /usr/bin/dash") },
  {
    name: "bash without setsid",
    setUp: () => machine("mount --bind /usr/bin/bash /usr/bin/dash", tools([...TOOLS, "cp", "touch", "sh"])),
  },
  ...(busybox
    ? [
        {
          name: "busybox, tools and all",
          setUp: () =>
            machine(
              "mount --bind /usr/bin/busybox /usr/bin/dash",
              tools([...TOOLS, "head", "cp", "touch", "setsid", "sh"], "/nowhere"),
            ),
        },
      ]
    : []),
];

describe.each(shells)("under $name", ({ setUp }) => {
  beforeEach(() => {
    link = setUp();
  });

  test("values arrive byte for byte, outputs come back", async () => {
    const request = requestFor(await bundleOf(directory, SCRIPT), {
      args: [NASTY],
      env: { VALUE: NASTY },
      attributes: { a: NASTY },
    });
    expect(await runProgram(link, request)).toEqual({ kind: "exited", code: 5, outputs: new Map([["a", "b"]]) });
    const step = join(directory, "steps", request.directory);
    expect(readFileSync(join(step, "arg"), "utf8")).toBe(NASTY);
    expect(readFileSync(join(step, "env"), "utf8")).toBe(NASTY);
    expect(JSON.parse(readFileSync(join(step, "attributes"), "utf8"))).toEqual({ a: NASTY });
    expect(existsSync(join(step, "hacked"))).toBe(false);
    expect(request.text()).toBe("out\n");
  });

  test("a program that runs too long is ended, children too", async () => {
    // The grace is longer than a test may take: the first signal reaches the whole group, and ends it.
    const request = requestFor(await bundleOf(directory, "#!/bin/sh\nsleep 1000 & echo $! >child; wait\n"), {
      timeoutMs: 2_000,
      graceMs: 600_000,
    });
    expect(await runProgram(link, request)).toMatchObject({ kind: "timed-out" });
    const pid = Number(readFileSync(join(directory, "steps", request.directory, "child"), "utf8"));
    await until(() => !isAlive(pid));
  });

  test("a program talks: what was set is got, who waits is woken, who is ended withdraws, and the next launcher answers", async () => {
    const talk = attributes();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    const request = requestFor(
      await bundleOf(
        directory,
        [
          "#!/bin/sh",
          'bl set every <every; bl get every --raw >got; bl set nasty "$NASTY"; bl get nasty; bl get unset --no-wait; echo $?',
          "bl get later --timeout 0 & bl get ended --timeout 0 & e=$!",
          "until [ -e go ]; do sleep 0.1; done; kill $e; wait $e; echo $?; bl set later 1; wait",
          "bl get never --timeout 0; echo $?; until [ -e again ]; do sleep 0.1; done; bl get later; bl random | wc -c",
          "",
        ].join("\n"),
      ),
      { env: { NASTY }, coordination: talk.handler },
    );
    const step = join(directory, "steps", request.directory);
    mkdirSync(step, { recursive: true });
    writeFileSync(join(step, "every"), bytes);
    const dying = setUp();
    const controller = new AbortController();
    const first = runProgram(dying, { ...request, signal: controller.signal });
    const asked = (name: string) => until(() => talk.requests.some((one) => one.verb === "get" && one.name === name));
    await Promise.all([asked("later"), asked("ended")]);
    writeFileSync(join(step, "go"), "");
    await asked("never");
    const before = `${NASTY}\nbl: not set\n1\n143\n1\n`;
    await until(() => request.text().length >= before.length);
    expect(request.text()).toBe(before);
    expect(readFileSync(join(step, "got")).equals(bytes)).toBe(true);
    expect(talk.gone.map(({ name }) => name)).toEqual(["ended"]);
    await dying.close();
    await until(() => talk.gone.length === 2);
    // `bl get never` outlives its launcher: it asks the next one, which knows the value.
    talk.values.set("never", Buffer.from("at last"));
    const runtime = readFileSync(join(step, ".bl/rt-path"), "utf8").trim();
    const relay = () => readFileSync(join(runtime, "talk"), "utf8");
    const earlier = relay();
    const recovering = recoverProgram(link, request);
    await until(() => relay().endsWith("\n") && relay() !== earlier);
    writeFileSync(join(step, "again"), "");
    expect(await recovering).toMatchObject({ kind: "exited", code: 0 });
    controller.abort();
    await first;
    await link.close();
    expect(existsSync(runtime)).toBe(false);
    await until(() => usersOf(runtime).length === 0);
    expect(request.text()).toMatch(/at last\n0\n1\n17\n/);
  });

  test("what became of a program can be asked later", async () => {
    const request = requestFor(
      await bundleOf(
        directory,
        "#!/bin/sh\necho up; until [ -e go ]; do sleep 0.1; done; echo a=1 >$BOOTLEVEL_OUTPUT; exit 6\n",
      ),
    );
    const dying = setUp();
    const controller = new AbortController();
    const first = runProgram(dying, { ...request, signal: controller.signal });
    await until(() => request.text() === "up\n");
    await dying.close();
    const asking = recoverProgram(link, request);
    await until(() => !existsSync(join(directory, "steps", request.directory, ".bl/relay")));
    execFileSync("touch", [join(directory, "steps", request.directory, "go")]);
    expect(await asking).toEqual({ kind: "exited", code: 6, outputs: new Map([["a", "1"]]) });
    controller.abort();
    expect(await first).toMatchObject({ kind: "unknown" });
  });
});

test("a machine without tar says so", async () => {
  link = machine(":", tools(TOOLS.filter((name) => name !== "tar")));
  await expect(runProgram(link, requestFor(await bundleOf(directory, SCRIPT)))).rejects.toThrow(
    /has no tar; install it/,
  );
});

test("a full disk says so, and so does a read-only one", async () => {
  mkdirSync(join(directory, "steps"));
  const bundle = await bundleOf(directory, `#!/bin/sh\n#${"x".repeat(200_000)}\n`);
  const request = { ...requestFor(bundle), onWarning: () => undefined };
  link = machine(`mount -t tmpfs -o size=64k none ${join(directory, "steps")}`);
  await expect(runProgram(link, request)).rejects.toThrow(/cannot be unpacked.*(No space left|Wrote only)/);
  link = machine(`mount -t tmpfs -o ro none ${join(directory, "steps")}`);
  await expect(runProgram(link, request)).rejects.toThrow(/cannot create the .*directory.*Read-only/);
});

test("root needs no sudo", async () => {
  link = machine(":", tools([...TOOLS, "setsid"]));
  const request = requestFor(await bundleOf(directory, "#!/bin/sh\nid -u\n"), { sudo: true });
  expect(await runProgram(link, request)).toMatchObject({ kind: "exited", code: 0 });
});
