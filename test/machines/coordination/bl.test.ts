/** Programs that talk to their launcher, on this computer. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConnectionError, type MachineConnection } from "../../../src/machines/contract/connection.js";
import { createLink } from "../../support/createLink.js";
import { openLocal } from "../../../src/machines/local/localConnection.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { recoverProgram } from "../../../src/machines/program/recoverProgram.js";
import type { ProgramRequest } from "../../../src/machines/program/request.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { attributes, usersOf, type Attributes } from "../../support/coordination.js";
import { isAlive, until } from "../../support/eventually.js";
import { randomBytes } from "../../support/seed.js";

let host: LocalHost;
let talk: Attributes;
beforeEach(async () => {
  host = await startLocalHost();
  talk = attributes();
});
afterEach(async () => {
  await host.stop();
});

const step = (directory: string, name: string): string => join(host.directory, "steps", directory, name);
const contentOf = (request: ProgramRequest, name: string): string =>
  readFileSync(step(request.directory, name), "utf8");
const written = (request: ProgramRequest, name: string): boolean =>
  existsSync(step(request.directory, name)) && contentOf(request, name).endsWith("\n");

/** A request for a program of these lines that talks. It keeps its runtime directory's path in the file `rt`. */
async function talking(lines: readonly string[], change: Partial<ProgramRequest> = {}) {
  return requestFor(
    await bundleOf(host.directory, ["#!/bin/sh", 'echo "$BOOTLEVEL_COORDINATION" >rt', ...lines, ""].join("\n")),
    { coordination: talk.handler, ...change },
  );
}

/** Nothing of the program is left once the link is closed. */
async function expectNothingLeft(request: ProgramRequest): Promise<void> {
  const runtime = contentOf(request, "rt").trim();
  await host.link.close();
  await until(() => !existsSync(runtime));
  await until(() => usersOf(runtime).length === 0);
}

const EXITED = { kind: "exited", code: 0 };

test("a value that was set is got, whatever is in it", async () => {
  const every = Buffer.concat([
    Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    Buffer.from("\n\n'\"$(x)\\n\r\n"),
  ]);
  const [everyFile, bigFile, word] = [
    join(host.directory, "every"),
    join(host.directory, "big"),
    '--raw it\'s "a" $(x) `x` \\n\n é\n',
  ];
  const big = randomBytes(1_000_000);
  writeFileSync(everyFile, every);
  writeFileSync(bigFile, big);
  const request = await talking(
    [
      'set -e; bl set every <"$EVERY"; bl set big <"$BIG"; bl set empty ""; bl set none </dev/null; bl set word "$WORD"',
      "for name in every big empty none word; do bl get $name --raw >got.$name; done; bl get word >line",
    ],
    { env: { EVERY: everyFile, BIG: bigFile, WORD: word } },
  );
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  expect(request.text()).toBe("");
  const got = (name: string) => readFileSync(step(request.directory, `got.${name}`));
  expect(got("every").equals(every)).toBe(true);
  expect(got("big").equals(big)).toBe(true);
  expect([got("empty").length, got("none").length, got("word").toString()]).toEqual([0, 0, word]);
  expect(contentOf(request, "line")).toBe(`${word}\n`);
  expect(talk.values.get("word")?.toString()).toBe(word);
  await expectNothingLeft(request);
});

test("requests arrive as they were meant", async () => {
  const request = await talking([
    "bl get --timeout=2m db-2:url >/dev/null; bl get a --timeout 0 --no-wait --ignore-abort; bl barrier all --parties 1 --timeout 1.5",
    'bl say "two  words" more; bl abort it is over',
  ]);
  talk.values.set("db-2:url", Buffer.from("x"));
  await runProgram(host.link, request);
  const plain = { wait: true, ignoreAbort: false, parties: null, value: Buffer.alloc(0), name: "" };
  expect(talk.requests).toEqual([
    { ...plain, verb: "get", name: "db-2:url", timeoutMs: 120_000 },
    { ...plain, verb: "get", name: "a", timeoutMs: null, wait: false, ignoreAbort: true },
    { ...plain, verb: "barrier", name: "all", timeoutMs: 1500, parties: 1 },
    { ...plain, verb: "say", value: Buffer.from("two  words more"), timeoutMs: null },
    { ...plain, verb: "abort", value: Buffer.from("it is over"), timeoutMs: null },
  ]);
});

test("whoever waits is woken when the value is there", async () => {
  const request = await talking(["bl get later --timeout 0"]);
  const running = runProgram(host.link, request);
  await until(() => talk.requests.length === 1);
  await talk.handler(
    {
      verb: "set",
      name: "later",
      value: Buffer.from("now"),
      timeoutMs: null,
      wait: true,
      ignoreAbort: false,
      parties: null,
    },
    new AbortController().signal,
    { id: "1", again: false },
  );
  expect(await running).toMatchObject(EXITED);
  expect(request.text()).toBe("now\n");
});

test("exit codes tell what happened, and words go to standard error", async () => {
  const commands: readonly (readonly [command: string, code: number, words: RegExp])[] = [
    ["bl get unset --no-wait", 1, /^bl: not set$/m],
    ["bl get nobody", 7, /^bl: nobody has/m],
    ["bl abort too bad", 8, /^bl: too bad$/m],
    ["bl get unset --timeout 0.05", 9, /^bl: timed out$/m],
    ["bl barrier b --parties 2 --timeout 0.05", 9, /timed out/],
    ["bl", 2, /unknown command/],
    ["bl nonsense", 2, /unknown command/],
    ["bl get", 2, /takes a name/],
    ["bl get a b", 2, /one name/],
    ["bl get 'a b'", 2, /not a name/],
    ["bl get ../x", 2, /not a name/],
    ["bl get a --timeout", 2, /takes a value/],
    ["bl get a --timeout soon", 2, /not 'soon'/],
    ["bl get a --timeout 1.2.3", 2, /--timeout/],
    ["bl get a --parties 2", 2, /unknown option/],
    ["bl barrier b --parties 0", 2, /--parties/],
    ["bl set", 2, /name and a value/],
    ["bl set a b c", 2, /name and a value/],
    ["bl say", 2, /takes a text/],
    ["bl random --length 0", 2, /--length/],
    ["bl --help", 0, /^$/],
    ["bl say hello", 0, /^$/],
  ];
  const request = await talking(
    commands.map(([command], index) => `${command} >out.${index} 2>err.${index}; echo $? >code.${index}`),
  );
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  for (const [index, [command, code, words]] of commands.entries()) {
    expect([command, contentOf(request, `code.${index}`)]).toEqual([command, `${code}\n`]);
    expect([command, contentOf(request, `err.${index}`)]).toEqual([command, expect.stringMatching(words)]);
    if (command !== "bl --help") expect([command, contentOf(request, `out.${index}`)]).toEqual([command, ""]);
  }
});

test("a value may be 16 MiB and no byte more", async () => {
  const request = await talking([
    "head -c 16777216 /dev/zero | bl set most; echo $?; head -c 16777217 /dev/zero | bl set more; echo $?; bl get most --raw | wc -c",
  ]);
  await runProgram(host.link, request);
  expect(request.text()).toBe(
    "0\nbl: the value is longer than 16777216 bytes, which is what is allowed\n2\n16777216\n",
  );
  expect(talk.values.get("most")?.length).toBe(16_777_216);
  expect(talk.values.has("more")).toBe(false);
});

test("random letters are made without a launcher, which everything else needs", async () => {
  const request = requestFor(
    await bundleOf(
      host.directory,
      "#!/bin/sh\nbl random; bl random --length 40; bl get x; echo $?; bl set x y; echo $?\n",
    ),
  );
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  expect(request.text()).toMatch(
    /^[A-Za-z0-9]{16}\n[A-Za-z0-9]{40}\nbl: the launcher is not there\n10\nbl: the launcher is not there\n10\n$/,
  );
});

test.each(["dash", "bash", "bash --posix", "busybox sh"])("%s runs bl as well", async (shell) => {
  const request = await talking([
    `bl=$(command -v bl); run() { ${shell} "$bl" "$@"; }; run set a "x\\ny" && run get a; printf 'a\\0b' | run set nul; run get nul --raw | od -An -c | tr -d ' \\n'; echo`,
    "run get nobody; echo $?; run get a b; echo $?; run get never --timeout 0.05; echo $?; run random | wc -c; run --help | wc -l; for i in 1 2 3; do run barrier all --parties 3 & done; wait; run say hello; echo $?",
  ]);
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  expect(request.text()).toBe(
    "x\\ny\na\\0b\nbl: nobody has a value named nobody\n7\nbl: one name, not 'b' too; see bl --help\n2\nbl: timed out\n9\n17\n10\n0\n",
  );
  await expectNothingLeft(request);
});

test("fifty may wait at once", async () => {
  const request = await talking([
    "for i in $(seq 50); do { bl barrier all --parties 50 --timeout 0 && bl set n$i $i && bl get n$i; } & done; wait",
  ]);
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  expect(
    request
      .text()
      .trim()
      .split("\n")
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  await expectNothingLeft(request);
});

test("garbage and floods hurt nobody else", async () => {
  const other = await talking(["bl get go --timeout 0"]);
  const waiting = runProgram(host.link, other);
  await until(() => talk.requests.length === 1);
  const request = await talking([
    'head -c 100000 /dev/urandom >"$BOOTLEVEL_COORDINATION/req"; echo >"$BOOTLEVEL_COORDINATION/req"; printf "%s\\n" "1 get" "1 get x 1 - - -" "../x get x 1 - - 5" "1 evil x 1 - - 0" >"$BOOTLEVEL_COORDINATION/req"',
    'seq -f "%.0f get nothing 0 n - 0" 100000 103000 >"$BOOTLEVEL_COORDINATION/req"',
    "i=0; while [ $i -lt 100 ]; do i=$((i+1)); bl say $i; done; bl set a b; bl get a",
  ]);
  expect(await runProgram(host.link, { ...request, onWarning: () => undefined })).toMatchObject(EXITED);
  expect(request.text()).toMatch(/b\n$/);
  talk.values.set("go", Buffer.from("gone"));
  await talk.handler(
    {
      verb: "set",
      name: "go",
      value: Buffer.from("gone"),
      timeoutMs: null,
      wait: true,
      ignoreAbort: false,
      parties: null,
    },
    new AbortController().signal,
    { id: "1", again: false },
  );
  expect(await waiting).toMatchObject(EXITED);
  expect(other.text()).toBe("gone\n");
  await expectNothingLeft(request);
});

test("one that is killed while it waits disturbs no other, and one that is ended withdraws", async () => {
  const request = await talking([
    "bl get a --timeout 0 & echo $! >killed; bl get b --timeout 0 & echo $! >ended; bl get c --timeout 0 & echo $! >other",
    "until [ -e go ]; do sleep 0.02; done; read -r k <killed; kill -9 $k; read -r e <ended; kill $e; wait $e; echo $?; bl set a 1; bl set c 3; bl get c; wait",
  ]);
  const running = runProgram(host.link, request);
  await until(() => talk.requests.length === 3);
  writeFileSync(step(request.directory, "go"), "");
  expect(await running).toMatchObject(EXITED);
  expect(request.text()).toBe("143\n3\n3\n");
  expect(talk.gone.map(({ name }) => name)).toEqual(["b"]);
  await expectNothingLeft(request);
});

/** Sets a value as another program would. */
const setElsewhere = (name: string, value: string) =>
  talk.handler(
    {
      verb: "set",
      name,
      value: Buffer.from(value),
      timeoutMs: null,
      wait: true,
      ignoreAbort: false,
      parties: null,
    },
    new AbortController().signal,
    { id: "1", again: false },
  );

test("when the connection breaks, everybody who waits goes on waiting, and is answered over the next one", async () => {
  const request = await talking([
    "for i in 1 2 3; do { bl get later --timeout 0 >value.$i; echo $? >code.$i; } & done; wait; bl set a now; bl get a >got",
  ]);
  const running = runProgram(host.link, request);
  await until(() => talk.requests.length === 3);
  await (await host.link.connection()).close();
  await until(() => talk.gone.length === 3);
  await until(() => talk.requests.length === 6);
  const runtime = contentOf(request, "rt").trim();
  expect(relayOf(runtime).some(isAlive)).toBe(true);
  await setElsewhere("later", "then");
  expect(await running).toMatchObject(EXITED);
  expect([1, 2, 3].map((index) => contentOf(request, `code.${index}`))).toEqual(["0\n", "0\n", "0\n"]);
  expect([1, 2, 3].map((index) => contentOf(request, `value.${index}`))).toEqual(["then\n", "then\n", "then\n"]);
  expect(contentOf(request, "got")).toBe("now\n");
  await expectNothingLeft(request);
});

test("whoever waits for a launcher that does not come back ends with 10 when the time is over", async () => {
  const request = await talking([
    "bl get never --timeout 1.5; echo $? >get; bl set a b & p=$!; sleep 1; kill $p; wait $p; echo $? >set; until [ -e go ]; do sleep 0.02; done",
  ]);
  const first = createLink(() => host.link.connection());
  const controller = new AbortController();
  const dead = runProgram(first, { ...request, signal: controller.signal });
  await until(() => talk.requests.length === 1);
  await first.close();
  await until(() => written(request, "set"));
  expect([contentOf(request, "get"), contentOf(request, "set")]).toEqual(["10\n", "143\n"]);
  expect(talk.requests.length).toBe(1);
  writeFileSync(step(request.directory, "go"), "");
  controller.abort();
  await dead;
});

/** The processes of the relay that has taken over. */
const relayOf = (runtime: string): number[] =>
  readFileSync(join(runtime, "talk"), "utf8").trim().split(" ").map(Number);

test("a launcher that comes later answers the program of an earlier one", async () => {
  const request = await talking([
    "bl get later --timeout 0 >got; echo $? >code; until [ -e go ]; do sleep 0.02; done; bl set a now; bl get a >>got; exit 3",
  ]);
  const dying = await startLocalHost();
  const connect = (): MachineConnection =>
    openLocal({
      directory: host.directory,
      workDirectory: join(host.directory, "steps"),
      env: { PATH: process.env["PATH"] ?? "" },
      tag: host.tag,
    });
  const first = createLink(async () => connect());
  const controller = new AbortController();
  const dead = runProgram(first, { ...request, signal: controller.signal });
  await until(() => talk.requests.length === 1);
  const runtime = contentOf(request, "rt").trim();
  const before = relayOf(runtime);
  await first.close();
  await until(() => !before.some(isAlive));
  const recovering = recoverProgram(host.link, request);
  await until(
    () => relayOf(runtime).length === 2 && relayOf(runtime).every((pid) => isAlive(pid) && !before.includes(pid)),
  );
  await setElsewhere("later", "then");
  writeFileSync(step(request.directory, "go"), "");
  expect(await recovering).toMatchObject({ kind: "exited", code: 3 });
  expect(contentOf(request, "code")).toBe("0\n");
  expect(contentOf(request, "got")).toBe("then\nnow\n");
  controller.abort();
  await dead;
  await dying.stop();
  await expectNothingLeft(request);
});

test("a relay that ends is replaced; whoever waited for its answer asks the next one", async () => {
  const request = await talking([
    "bl get later --timeout 0; echo $?; until [ -e go ]; do sleep 0.02; done; bl set a now; bl get a",
  ]);
  const running = runProgram(host.link, request);
  await until(() => talk.requests.length === 1);
  const runtime = contentOf(request, "rt").trim();
  const [before] = [relayOf(runtime)];
  for (const pid of before) process.kill(pid, "SIGKILL");
  await until(
    () => relayOf(runtime).length === 2 && relayOf(runtime).every((pid) => isAlive(pid) && !before.includes(pid)),
  );
  await setElsewhere("later", "then");
  writeFileSync(step(request.directory, "go"), "");
  expect(await running).toMatchObject(EXITED);
  expect(request.text()).toBe("then\n0\nnow\n");
  await expectNothingLeft(request);
});

test("when no relay can be opened the program hears that nobody answers", async () => {
  let opened = 0;
  const local = await host.link.connection();
  const link = createLink(async () => ({
    label: local.label,
    workDirectory: local.workDirectory,
    alive: true,
    close: () => local.close(),
    open: (command, options) => {
      if (++opened > 1 && opened <= 6) throw new ConnectionError("no more sessions");
      return local.open(command, options);
    },
  }));
  const warnings: string[] = [];
  const request = await talking(["bl get a --timeout 0; echo $?"], {
    onWarning: (message) => {
      warnings.push(message);
    },
  });
  expect(await runProgram(link, request)).toMatchObject(EXITED);
  expect(request.text()).toBe("bl: the launcher is not there\n10\n");
  expect(warnings).toEqual([expect.stringMatching(/requests of bl are no longer answered: no more sessions/)]);
  await link.close();
  await expectNothingLeft(request);
});

test("a handler that fails is a launcher that is not there", async () => {
  const warnings: string[] = [];
  const request = await talking(["bl get a; echo $?"], {
    coordination: () => Promise.reject(new Error("no disk")),
    onWarning: (message) => {
      warnings.push(message);
    },
  });
  expect(await runProgram(host.link, request)).toMatchObject(EXITED);
  expect(request.text()).toBe("bl: the launcher failed to answer\n10\n");
  expect(warnings).toEqual(["bl get a could not be answered: no disk"]);
});

test("what a program leaves behind finds no launcher when the program is over", async () => {
  const request = await talking([
    "bl set a b; { bl get never --timeout 0; echo $? >first; bl get a; echo $? >second; } >/dev/null 2>&1 & until [ -e go ]; do sleep 0.02; done",
  ]);
  const running = runProgram(host.link, request);
  await until(() => talk.requests.length === 2);
  writeFileSync(step(request.directory, "go"), "");
  expect(await running).toMatchObject(EXITED);
  await until(() => written(request, "second"));
  expect([contentOf(request, "first"), contentOf(request, "second")]).toEqual(["10\n", "10\n"]);
  await expectNothingLeft(request);
});

test("a program that is ended while it waits leaves nothing", async () => {
  const request = await talking(["bl get never --timeout 0"], { timeoutMs: 1000, graceMs: 500 });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "timed-out" });
  await expectNothingLeft(request);
});

test("a runner that is killed leaves no holder behind", async () => {
  const request = await talking(["cat .bl/nonce; until [ -e go ]; do sleep 0.02; done"]);
  const running = runProgram(host.link, request);
  await until(() => request.text().endsWith("\n"));
  const runtime = contentOf(request, "rt").trim();
  const [holder] = relayOf(runtime) as [number];
  const runner = Number(/\) . ([0-9]+)/.exec(readFileSync(`/proc/${holder}/stat`, "utf8"))?.[1]);
  process.kill(runner, "SIGKILL");
  await until(() => !isAlive(holder));
  writeFileSync(step(request.directory, "go"), "");
  expect(await running).toMatchObject(EXITED);
  await expectNothingLeft(request);
});

test.each(["dash", "bash", "bash --posix", "busybox sh"])(
  "%s runs bl in a program that has closed its standard streams; it says so where one is needed",
  async (shell) => {
    const request = await talking([
      `bl=$(command -v bl); run() { ${shell} "$bl" "$@"; }; run set a 1 2>&-; echo $? >codes; run get a >got 2>&-; echo $? >>codes; run get a <&- >&- 2>&-; echo $? >>codes`,
      "run set b <&- 2>why; echo $? >>codes; run get b --no-wait 2>/dev/null; echo $? >>codes; run set b 2 <&- >&- 2>&-; echo $? >>codes",
    ]);
    expect(await runProgram(host.link, request)).toMatchObject(EXITED);
    expect(contentOf(request, "codes").split("\n")).toEqual(["0", "0", "2", "2", "1", "0", ""]);
    expect(contentOf(request, "got")).toBe("1\n");
    expect(contentOf(request, "why")).toContain("bl: the value is to come on standard input, which is closed");
    await expectNothingLeft(request);
  },
);
