/** Files of real machines, over real channels. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "@jest/globals";

import {
  ConnectionError,
  ConnectionLostError,
  type MachineConnection,
} from "../../../src/machines/contract/connection.js";
import { fetchFiles, type Fetched } from "../../../src/machines/files/fetchFiles.js";
import type { FetchRequest } from "../../../src/machines/files/fetchScript.js";
import { openLocal } from "../../../src/machines/local/localConnection.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { until } from "../../support/eventually.js";
import { startLocalHost } from "../../support/localHost.js";
import { startProxy, startSshHost } from "../../support/sshHost.js";
import { randomBytes } from "../../support/seed.js";

interface Host {
  readonly connection: MachineConnection;
  /** Where steps lie, and where patterns begin: `base`. */
  readonly directory: string;
  stop(): Promise<void>;
}

const started: Host[] = [];

afterEach(async () => {
  for (const host of started.splice(0)) await host.stop();
});

function keep(host: Host): Host {
  mkdirSync(join(host.directory, "base", ".bl"), { recursive: true });
  started.push(host);
  return host;
}

async function localHost(env: Record<string, string> = {}): Promise<Host> {
  const host = await startLocalHost(env);
  return keep({
    connection: await host.link.connection(),
    directory: join(host.directory, "steps"),
    stop: () => host.stop(),
  });
}

async function sshHost(): Promise<Host> {
  const host = await startSshHost();
  const connection = await connectSsh(host.settings(), {
    signal: new AbortController().signal,
    onWarning: (message) => {
      throw new Error(message);
    },
  });
  return keep({
    connection,
    directory: join(host.directory, "steps"),
    stop: async () => {
      await connection.close();
      await host.stop();
    },
  });
}

interface Got {
  readonly files: Record<string, Buffer>;
  readonly others: Record<string, string>;
  readonly notes: Fetched["notes"];
  readonly dismiss: Fetched["dismiss"];
}

async function fetch(host: Host, request: Partial<FetchRequest>, signal = new AbortController().signal): Promise<Got> {
  const files: Got["files"] = {};
  const others: Got["others"] = {};
  const fetched = await fetchFiles(
    host.connection,
    { report: null, patterns: [], base: ["base"], sudo: false, ...request },
    {
      signal,
      async onMember(origin, { name, type }, content) {
        const chunks: Buffer[] = [];
        for await (const chunk of content) chunks.push(chunk);
        if (type === "file") files[`${origin} ${name}`] = Buffer.concat(chunks);
        else others[`${origin} ${name}`] = type ?? "unknown";
      },
    },
  );
  return { files, others, ...fetched };
}

const texts = ({ files }: Got) =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [name, content.toString()]));
const folder = (host: Host) => join(host.directory, "base");

const busybox = existsSync("/usr/bin/busybox");
if (!busybox) console.warn("busybox is not installed: its tar is not tested (apt-get install busybox)");

describe.each([
  { name: "a local machine", start: () => localHost() },
  { name: "a host over SSH", start: () => sshHost() },
  ...(busybox
    ? [{ name: "a machine with busybox's tar", start: () => hostWithTar('exec /usr/bin/busybox tar "$@"') }]
    : []),
])("$name", ({ start }) => {
  test("sends files of any name, each whole", async () => {
    const host = await start();
    const names = [
      "plain",
      " blank s ",
      "-rf",
      "--checkpoint-action=exec=sh",
      "new\nline",
      "quo'te\"s",
      "back\\slash",
      "$(touch hacked)",
      "`touch hacked`",
      "ünï",
      "*",
      "a;b&c|d",
      "x".repeat(200),
    ];
    for (const name of names) writeFileSync(join(folder(host), name), `of ${name}`);
    const got = await fetch(host, { patterns: ["*"] });
    expect(texts(got)).toEqual(Object.fromEntries(names.map((name) => [`relative ./${name}`, `of ${name}`])));
    expect(got.notes).toEqual([]);
    expect(await got.dismiss()).toBeNull();
    expect(readdirSync(folder(host)).sort()).toEqual([".bl", ...names].sort());
  });

  test("20 MB arrive byte for byte, with bytes of every kind", async () => {
    const host = await start();
    const content = Buffer.concat([randomBytes(20_000_000), Buffer.from("\nbl-end \n\r\n\0")]);
    writeFileSync(join(folder(host), "big.bin"), content);
    const got = await fetch(host, { patterns: ["big.bin"] });
    expect(got.files["relative ./big.bin"]?.equals(content)).toBe(true);
  });
});

test("a pattern is matched and never parsed", async () => {
  const host = await localHost();
  const patterns = [
    "$(touch hacked)*",
    "`touch hacked`",
    ";touch hacked",
    "a b*",
    "{a,b}",
    "~",
    "'*",
    "[ab]x",
    "?y",
    "c/*/z",
    "[*]",
  ];
  for (const name of ["a b1", "{a,b}", "ax", "bx", "cx", "1y", "~", "*"]) writeFileSync(join(folder(host), name), "");
  mkdirSync(join(folder(host), "c/1"), { recursive: true });
  writeFileSync(join(folder(host), "c/1/z"), "");
  const got = await fetch(host, { patterns });
  expect(
    Object.keys(got.files)
      .map((name) => name.slice("relative ./".length))
      .sort(),
  ).toEqual(["*", "1y", "a b1", "ax", "bx", "c/1/z", "{a,b}", "~"]);
  expect(got.notes.map(({ reason, name }) => [reason, name])).toEqual(
    ["$(touch hacked)*", "`touch hacked`", ";touch hacked", "'*"].map((name) => ["none", name]),
  );
  expect(existsSync(join(folder(host), "hacked"))).toBe(false);
});

test("folders are sent whole, also by a link; absolute patterns and those at home are told apart", async () => {
  const host = await localHost();
  mkdirSync(join(folder(host), "tree/deep"), { recursive: true });
  writeFileSync(join(folder(host), "tree/deep/one"), "1");
  symlinkSync("tree", join(folder(host), "way"));
  symlinkSync("one", join(folder(host), "tree/deep/link"));
  const got = await fetch(host, { patterns: ["tree", "way", `${folder(host)}/tree/deep/*`] });
  expect(Object.keys(got.files).sort()).toEqual(
    [
      `absolute .${folder(host)}/tree/deep/link`,
      `absolute .${folder(host)}/tree/deep/one`,
      "relative ./tree/./deep/one",
      "relative ./way/./deep/one",
    ].sort(),
  );
  expect(got.others).toMatchObject({
    "relative ./tree/./deep/link": "symlink",
    "relative ./way/./deep/link": "symlink",
    "relative ./tree/./": "directory",
  });
  writeFileSync(join(folder(host), "../../at-home"), "home");
  expect(texts(await fetch(host, { patterns: ["at-home"], base: [] }))).toEqual({ "relative ./at-home": "home" });
});

test("what is no plain file is named and left out, and a place that is not there", async () => {
  const host = await localHost();
  execFileSync("mkfifo", [join(folder(host), "pipe")]);
  symlinkSync("nowhere", join(folder(host), "dangling"));
  const server = createServer().listen(join(folder(host), "socket"));
  await until(() => server.listening);
  writeFileSync(join(folder(host), "fine"), "fine");
  const got = await fetch(host, { patterns: ["*", "/dev/null", "no/*"] });
  server.close();
  expect(texts(got)).toEqual({ "relative ./fine": "fine" });
  expect(got.notes.map(({ reason, name }) => `${reason} ${name}`).sort()).toEqual([
    "dangling dangling",
    "none no/*",
    "special /dev/null",
    "special pipe",
    "special socket",
  ]);
  expect((await fetch(host, { patterns: ["*"], base: ["gone"] })).notes).toMatchObject([{ reason: "base" }]);
});

(process.getuid?.() === 0 ? test : test.skip)(
  "what the machine's user may not read is named and left out",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "bl-closed-"));
    chmodSync(directory, 0o755);
    // A shell of somebody else's.
    const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
    const local = openLocal({ directory, workDirectory: directory, env, tag: "77" });
    const connection: MachineConnection = {
      ...local,
      label: "nobody",
      workDirectory: directory,
      alive: true,
      open: (command) =>
        local.open(
          `exec setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c '${command.replaceAll("'", "'\\''")}'`,
        ),
    };
    const host = keep({
      connection,
      directory,
      stop: async () => {
        await local.close();
        rmSync(directory, { recursive: true, force: true });
      },
    });
    mkdirSync(join(folder(host), "tree"));
    for (const name of ["open", "closed", "tree/open", "tree/closed"]) writeFileSync(join(folder(host), name), name);
    for (const name of ["closed", "tree/closed"]) chmodSync(join(folder(host), name), 0o600);
    const got = await fetch(host, { patterns: ["*"] });
    expect(texts(got)).toEqual({ "relative ./open": "open", "relative ./tree/./open": "tree/open" });
    expect(got.notes).toEqual([
      { reason: "unreadable", name: "closed", words: "" },
      { reason: "tar", name: "", words: expect.stringMatching(/tree\/\.\/closed: .*Permission denied/) },
    ]);
  },
);

/** A machine whose tar is a script: `$3` is what it is to pack. */
async function hostWithTar(script: string): Promise<Host> {
  const bin = mkdtempSync(join(tmpdir(), "bl-bin-"));
  writeFileSync(join(bin, "tar"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const host = await localHost({ PATH: `${bin}:${process.env["PATH"] ?? ""}` });
  return {
    ...host,
    stop: async () => {
      rmSync(bin, { recursive: true });
    },
  };
}

test("a tar that dies in the middle of a file costs that file, and no other", async () => {
  const host = await hostWithTar(
    'case $3 in *shrinks*) /bin/tar "$@" | head -c 3000; echo "tar: short read of $3" >&2; exit 1 ;; *) exec /bin/tar "$@" ;; esac',
  );
  for (const name of ["a", "shrinks", "z"]) writeFileSync(join(folder(host), name), name.repeat(5000));
  const got = await fetchRaw(host, ["*"]);
  expect(got.files).toEqual({ "./a": 5000, "./shrinks": -1, "./z": 5000 });
  expect(got.words).toEqual(["tar: short read of ./shrinks"]);
});

/** Sizes of files, -1 for one that broke off. */
async function fetchRaw(
  host: Host,
  patterns: readonly string[],
): Promise<{ files: Record<string, number>; words: string[] }> {
  const files: Record<string, number> = {};
  const { notes } = await fetchFiles(
    host.connection,
    { report: null, patterns, base: ["base"], sudo: false },
    {
      signal: new AbortController().signal,
      async onMember(_origin, { name }, content) {
        files[name] = -1;
        let size = 0;
        for await (const chunk of content) size += chunk.length;
        files[name] = size;
      },
    },
  );
  return { files, words: notes.map(({ words }) => words) };
}

test("a step's folder is sent from where the step lies, and removed when that is dismissed", async () => {
  const host = await localHost();
  const report = { steps: ["web/report-1-again-2", "web/report-1-again", "web/report-1"], folder: ".bl/report" };
  mkdirSync(join(host.directory, "web/report-1/.bl/report"), { recursive: true });
  mkdirSync(join(host.directory, "web/report-1-again/.bl"), { recursive: true });
  mkdirSync(join(host.directory, "web/boot-1/.bl"), { recursive: true });
  writeFileSync(join(host.directory, "web/report-1/.bl/report/-x y"), "told");
  const got = await fetch(host, { report });
  expect(texts(got)).toEqual({ "report ./-x y": "told" });
  expect(existsSync(join(host.directory, "web/report-1"))).toBe(true);
  expect(await got.dismiss()).toBeNull();
  expect(readdirSync(join(host.directory, "web")).sort()).toEqual(["boot-1", "report-1-again"]);
});

test("a machine without tar, or with one that hangs, is told of in time", async () => {
  const host = await localHost({ PATH: "/nowhere" });
  const dd = mkdtempSync(join(tmpdir(), "bl-bin-"));
  for (const name of ["dd", "printf", "sh"]) symlinkSync(`/bin/${name}`, join(dd, name));
  const without = await localHost({ PATH: dd });
  await expect(fetch(without, { patterns: ["*"] })).rejects.toThrow("the machine has no tar; install it there");
  rmSync(dd, { recursive: true });
  await expect(fetch(host, { patterns: ["*"] })).rejects.toThrow();
  const hanging = await hostWithTar("exec sleep 20");
  writeFileSync(join(folder(hanging), "a"), "");
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(new Error("it took too long"));
  }, 300);
  await expect(fetch(hanging, { patterns: ["*"] }, controller.signal)).rejects.toThrow(/cancelled: it took too long/);
});

test("a connection that breaks in the middle is lost, and says so", async () => {
  const sshd = await startSshHost();
  const proxy = await startProxy(sshd.address, sshd.port);
  const settings = sshd.settings({ host: proxy.address, port: proxy.port, hostKeys: "accept-new" });
  const connection = await connectSsh(settings, { signal: new AbortController().signal, onWarning: () => undefined });
  const host = keep({
    connection,
    directory: join(sshd.directory, "steps"),
    stop: async () => {
      await connection.close();
      await proxy.stop();
      await sshd.stop();
    },
  });
  writeFileSync(join(folder(host), "big"), randomBytes(30_000_000));
  const cut = fetchFiles(
    connection,
    { report: null, patterns: ["big"], base: ["base"], sudo: false },
    {
      signal: new AbortController().signal,
      async onMember(_origin, _header, content) {
        for await (const chunk of content) if (chunk.length > 0) proxy.cut();
      },
    },
  );
  await expect(cut).rejects.toBeInstanceOf(ConnectionLostError);
});

test("whoever takes the files may end it: nothing more is read", async () => {
  const host = await localHost();
  for (const name of ["a", "b"]) writeFileSync(join(folder(host), name), randomBytes(5_000_000));
  const seen: string[] = [];
  const ended = fetchFiles(
    host.connection,
    { report: null, patterns: ["*"], base: ["base"], sudo: false },
    {
      signal: new AbortController().signal,
      onMember: async (_origin, { name }) => {
        seen.push(name);
        throw new RangeError("enough");
      },
    },
  );
  await expect(ended).rejects.toThrow(RangeError);
  expect(seen).toEqual(["./a"]);
  await expect(fetch(host, { patterns: ["*"] }, AbortSignal.abort(new ConnectionError("before")))).rejects.toThrow(
    "before",
  );
});
