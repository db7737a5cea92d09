import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBundle, type BundleFile } from "../../support/bundles.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bl-bundle-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const target = (): string => join(directory, "bundles");
function put(name: string, text = name): string {
  const path = join(directory, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}
function unpacked(bundle: BundleFile): string {
  const path = mkdtempSync(join(directory, "out-"));
  execFileSync("tar", ["-xf", bundle.path, "-C", path]);
  return path;
}
const LONG = `${"långt namn ".repeat(12)}/${"x".repeat(150)}.txt`;

test("a folder arrives with its names, contents and modes; links arrive as what they lead to", async () => {
  put("program/run.sh", "#!/bin/sh\n");
  put(`program/${LONG}`, "long");
  chmodSync(put("program/tool"), 0o750);
  mkdirSync(join(directory, "program/empty"));
  symlinkSync("tool", join(directory, "program/link"));
  const bundle = await writeBundle(
    { program: { kind: "folder", path: join(directory, "program") }, files: [put("beside.conf")] },
    target(),
  );
  const out = unpacked(bundle);
  expect(bundle.entry).toBe("run.sh");
  expect(statSync(join(out, "run.sh")).mode & 0o777).toBe(0o755);
  expect(statSync(join(out, "tool")).mode & 0o777).toBe(0o750);
  expect(readFileSync(join(out, LONG), "utf8")).toBe("long");
  expect(readFileSync(join(out, "link"), "utf8")).toBe("program/tool");
  expect(readFileSync(join(out, "beside.conf"), "utf8")).toBe("beside.conf");
  expect(statSync(join(out, "empty")).isDirectory()).toBe(true);
});

test("equal content gives the same file, whatever its times; other content gives another", async () => {
  const path = put("run.sh", "echo 1");
  const source = { program: { kind: "file", path }, files: [] } as const;
  const first = await writeBundle(source, target());
  utimesSync(path, 1, 1);
  expect(await writeBundle(source, target())).toEqual(first);
  expect(statSync(first.path).mode & 0o777).toBe(0o600);
  expect(statSync(first.path).size).toBe(first.size);
  writeFileSync(path, "echo 2");
  expect((await writeBundle(source, target())).sha256).not.toBe(first.sha256);
  expect(readdirSync(target())).toHaveLength(2);
});

test("an archive arrives like a folder", async () => {
  put("program/run.sh", "#!/bin/sh\n");
  put("program/sub/data", "data");
  symlinkSync("../run.sh", join(directory, "program/sub/up"));
  execFileSync("tar", ["-czf", join(directory, "a.tar.gz"), "-C", join(directory, "program"), "."]);
  const out = unpacked(
    await writeBundle({ program: { kind: "archive", path: join(directory, "a.tar.gz") }, files: [] }, target()),
  );
  expect(readFileSync(join(out, "sub/data"), "utf8")).toBe("data");
  expect(readFileSync(join(out, "sub/up"), "utf8")).toBe("#!/bin/sh\n");
});

test("what cannot be bundled is refused by name", async () => {
  const file = put("run.sh");
  const folder = (path: string) =>
    writeBundle({ program: { kind: "folder", path: join(directory, path) }, files: [] }, target());
  put("none/other");
  await expect(folder("none")).rejects.toThrow(/none has no run.sh/);
  put("loop/run.sh");
  symlinkSync(".", join(directory, "loop/again"));
  await expect(folder("loop")).rejects.toThrow(/again is a link to a folder that contains it/);
  put("fifo/run.sh");
  execFileSync("mkfifo", [join(directory, "fifo/pipe")]);
  await expect(folder("fifo")).rejects.toThrow(/pipe is neither a file nor a folder/);
  put("own/run.sh");
  put("own/.bl/exit");
  await expect(folder("own")).rejects.toThrow(/\.bl is reserved for bootlevel/);
  await expect(
    writeBundle({ program: { kind: "file", path: file }, files: [put("else/run.sh")] }, target()),
  ).rejects.toThrow(/the bundle already contains run.sh/);
  await expect(writeBundle({ program: null, files: [join(directory, "gone")] }, target())).rejects.toThrow(
    /gone does not exist/,
  );
  execFileSync("tar", ["-czPf", join(directory, "out.tar.gz"), "--transform", "s,^.*$,../evil,", file]);
  await expect(
    writeBundle({ program: { kind: "archive", path: join(directory, "out.tar.gz") }, files: [] }, target()),
  ).rejects.toThrow(/points outside the archive/);
  await expect(writeBundle({ program: { kind: "archive", path: file }, files: [] }, target())).rejects.toThrow(
    /not a readable .tar.gz/,
  );
  expect(existsSync(target())).toBe(false);
});

test.each([
  ["a byte order mark", "\ufeff#!/bin/sh\n", /prog\.tar\.gz: its run\.sh begins with a byte order mark/],
  ["CR LF in its first line", "#!/bin/sh\r\n", /prog\.tar\.gz: the first line of its run\.sh ends in CR LF/],
])("an archive whose program has %s is refused in words", async (_what, text, message) => {
  put("packed/run.sh", text);
  const path = join(directory, "prog.tar.gz");
  execFileSync("tar", ["-czf", path, "-C", join(directory, "packed"), "."]);
  await expect(writeBundle({ program: { kind: "archive", path }, files: [] }, target())).rejects.toThrow(message);
});
