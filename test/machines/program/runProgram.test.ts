import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { StagingError } from "../../../src/machines/contract/errors.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { isAlive, until } from "../../support/eventually.js";

let host: LocalHost;
beforeEach(async () => {
  host = await startLocalHost();
});
afterEach(async () => {
  await host.stop();
});

test("a program's output, exit code and outputs come back", async () => {
  const request = requestFor(
    await bundleOf(
      host.directory,
      "#!/bin/sh\necho out; echo err >&2; echo a=1 >>$BOOTLEVEL_OUTPUT; printf tail; exit 3\n",
    ),
  );
  const result = await runProgram(host.link, request);
  expect(result).toEqual({ kind: "exited", code: 3, outputs: new Map([["a", "1"]]) });
  expect(request.text()).toBe("out\nerr\ntail");
});

/** Collects what nothing refers to. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/**
 * Bytes of those buffers that something still refers to: counted by what can be reached, since the heap's own figures
 * fall some time after a collection.
 */
function reachable(buffers: Iterable<WeakRef<ArrayBufferLike>>): number {
  collect();
  const alive = new Set([...buffers].flatMap((reference) => reference.deref() ?? []));
  return [...alive].reduce((bytes, buffer) => bytes + buffer.byteLength, 0);
}

const NASTY = 'it\'s "a" $(touch hacked) `touch hacked` \\ \n two\n\n *; & | ✓ ā\u0081ÿ 日本 \t\r end\n';

test("arguments, environment and attributes arrive byte for byte and execute nothing", async () => {
  const script =
    '#!/bin/sh\nprintf %s "$1" >arg; printf %s "$#" >count; printf %s "$VALUE" >env; cp "$BOOTLEVEL_ATTRIBUTES" attributes\n';
  const request = requestFor(await bundleOf(host.directory, script), {
    args: [NASTY, "", "-x"],
    env: { VALUE: NASTY },
    attributes: { a: NASTY },
  });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 0 });
  const step = join(host.directory, "steps", request.directory);
  expect(await readFile(join(step, "arg"), "utf8")).toBe(NASTY);
  expect(await readFile(join(step, "count"), "utf8")).toBe("3");
  expect(await readFile(join(step, "env"), "utf8")).toBe(NASTY);
  expect(JSON.parse(await readFile(join(step, "attributes"), "utf8"))).toEqual({ a: NASTY });
  expect(existsSync(join(step, "hacked"))).toBe(false);
});

test("an attribute of 1 MB arrives", async () => {
  const request = requestFor(await bundleOf(host.directory, '#!/bin/sh\nwc -c <"$BOOTLEVEL_ATTRIBUTES"\n'), {
    attributes: { big: "x".repeat(1_000_000) },
  });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 0 });
  expect(Number(request.text())).toBe(1_000_010);
});

test("an environment variable that is too long is refused by name before anything is sent", async () => {
  const request = requestFor(await bundleOf(host.directory, "#!/bin/sh\n"), { env: { HUGE: "x".repeat(131_072) } });
  await expect(runProgram(host.link, request)).rejects.toThrow(/HUGE is 131072 bytes.*BOOTLEVEL_ATTRIBUTES/s);
  expect(existsSync(join(host.directory, "steps"))).toBe(false);
});

test("a command runs in the machine's shell with its arguments", async () => {
  const request = requestFor(await bundleOf(host.directory, "#!/bin/sh\n"), {
    start: { kind: "command", line: 'echo "$1-$2"; kill -9 $$' },
    args: ["a b", "c"],
  });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 137 });
  expect(request.text()).toMatch(/^a b-c\n/);
});

test("output comes while the program runs", async () => {
  const bundle = await bundleOf(
    host.directory,
    "#!/bin/sh\necho first; until [ -e go ]; do sleep 0.05; done; echo second\n",
  );
  const step = requestFor(bundle);
  const running = runProgram(host.link, step);
  await until(() => step.text() === "first\n");
  const { writeFile } = await import("node:fs/promises");
  await writeFile(join(host.directory, "steps", step.directory, "go"), "");
  expect(await running).toMatchObject({ kind: "exited", code: 0 });
  expect(step.text()).toBe("first\nsecond\n");
});

test("a server left behind with the program's output holds nothing up and lives on", async () => {
  const bundle = await bundleOf(
    host.directory,
    "#!/bin/sh\n( while :; do echo noise; echo >>beats; sleep 0.05; done ) &\necho $! >server\necho done\n",
  );
  const step = requestFor(bundle);
  expect(await runProgram(host.link, step)).toMatchObject({ kind: "exited", code: 0 });
  const pid = Number(await readFile(join(host.directory, "steps", step.directory, "server"), "utf8"));
  await host.link.close();
  const beats = async () =>
    (await readFile(join(host.directory, "steps", step.directory, "beats"), "utf8").catch(() => "")).length;
  const before = await beats();
  await until(async () => (await beats()) > before + 5);
  expect(isAlive(pid)).toBe(true);
  process.kill(pid, "SIGKILL");
});

test("a program that runs too long is ended with its children", async () => {
  const bundle = await bundleOf(
    host.directory,
    "#!/bin/sh\nsleep 1000 & echo $! >child; trap 'echo bye' TERM; wait; wait\n",
  );
  const step = requestFor(bundle, { timeoutMs: 5_000, graceMs: 2_000 });
  expect(await runProgram(host.link, step)).toMatchObject({ kind: "timed-out" });
  expect(step.text()).toContain("bye");
  const pid = Number(await readFile(join(host.directory, "steps", step.directory, "child"), "utf8"));
  await until(() => !isAlive(pid));
});

test("a program that ignores TERM is killed after the grace", async () => {
  const bundle = await bundleOf(
    host.directory,
    "#!/bin/sh\ntrap '' TERM; echo $$ >self; while :; do sleep 0.1; done\n",
  );
  const step = requestFor(bundle, { timeoutMs: 2_000, graceMs: 300 });
  expect(await runProgram(host.link, step)).toMatchObject({ kind: "timed-out" });
  const pid = Number(await readFile(join(host.directory, "steps", step.directory, "self"), "utf8"));
  await until(() => !isAlive(pid));
});

test("the launcher's signal ends the program", async () => {
  const controller = new AbortController();
  const step = requestFor(await bundleOf(host.directory, "#!/bin/sh\necho up; sleep 1000\n"), {
    signal: controller.signal,
  });
  const running = runProgram(host.link, step);
  await until(() => step.text() === "up\n");
  controller.abort();
  expect(await running).toEqual({ kind: "aborted" });
});

test("secrets are in no file of the machine and in no process list, and the runtime directory goes", async () => {
  const secret = `s3cret-${Date.now()}`;
  const bundle = await bundleOf(
    host.directory,
    '#!/bin/sh\nps -A -ww -o args; grep -rl "${SECRET}" . ; cat .bl/rt-path >where; grep -l "$SECRET" $BOOTLEVEL_ATTRIBUTES\n',
  );
  const step = requestFor(bundle, { env: { SECRET: secret }, attributes: { secret } });
  expect(await runProgram(host.link, step)).toMatchObject({ kind: "exited", code: 0 });
  const runtime = (await readFile(join(host.directory, "steps", step.directory, "where"), "utf8")).trim();
  // grep itself has the secret in its arguments; nothing else has.
  expect(
    step
      .text()
      .split("\n")
      .filter((line) => line.includes(secret) && !line.startsWith("grep")),
  ).toEqual([]);
  expect(step.text()).toContain(`${runtime}/attributes`);
  await host.link.close();
  expect(existsSync(runtime)).toBe(false);
  for (const name of await readdir(join(host.directory, "steps", step.directory), { recursive: true })) {
    const path = join(host.directory, "steps", step.directory, name);
    if (name.includes("."))
      await readFile(path, "utf8").then(
        (text) => {
          expect(text).not.toContain(secret);
        },
        (error: NodeJS.ErrnoException) => {
          expect(error.code).toBe("EISDIR");
        },
      );
  }
});

test("a step that is not kept leaves no directory", async () => {
  const step = requestFor(await bundleOf(host.directory, "#!/bin/sh\n"), { keep: false });
  await runProgram(host.link, step);
  await host.link.close();
  expect(await readdir(join(host.directory, "steps"))).toEqual([]);
});

test("of 100 MB of output hardly anything is kept in memory", async () => {
  let bytes = 0;
  let kept: number | undefined;
  const seen: WeakRef<ArrayBufferLike>[] = [];
  const bundle = await bundleOf(host.directory, "#!/bin/sh\nhead -c 100000000 /dev/zero\n");
  await runProgram(
    host.link,
    requestFor(bundle, {
      onOutput: (chunk) => {
        bytes += chunk.length;
        if (kept !== undefined) return;
        if (bytes > 90_000_000) kept = reachable(seen);
        else seen.push(new WeakRef(chunk.buffer));
      },
    }),
  );
  expect(bytes).toBe(100_000_000);
  expect(kept).toBeLessThan(20_000_000);
});

test("outputs that cannot be read are an error with the line", async () => {
  const bundle = await bundleOf(
    host.directory,
    "#!/bin/sh\necho fine=1 >$BOOTLEVEL_OUTPUT; echo nonsense >>$BOOTLEVEL_OUTPUT\n",
  );
  await expect(runProgram(host.link, requestFor(bundle))).rejects.toMatchObject({ name: "OutputError", line: 2 });
});

test("a directory that cannot be made is an error in the machine's own words", async () => {
  const step = requestFor(await bundleOf(host.directory, "#!/bin/sh\n"), { directory: "../bundles/taken" });
  const { writeFile } = await import("node:fs/promises");
  await writeFile(join(host.directory, "bundles", "taken"), "a file");
  const error = await runProgram(host.link, { ...step, onWarning: () => undefined }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(StagingError);
  expect((error as Error).message).toMatch(/cannot create the step's directory.*mkdir/);
});

test("a directory that another launcher has claimed is not started twice", async () => {
  const bundle = await bundleOf(host.directory, "#!/bin/sh\necho ran >>../count\n");
  const step = requestFor(bundle);
  await runProgram(host.link, step);
  await expect(runProgram(host.link, requestFor(bundle, { directory: step.directory }))).rejects.toThrow(
    /another launcher already uses the step's directory/,
  );
  expect(await readFile(join(host.directory, "steps", "count"), "utf8")).toBe("ran\n");
});
