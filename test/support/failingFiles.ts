/** A file system that fails at one call: Node's own, with the n-th call on a path below a folder made to fail. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Runs before the command. Calls by path, and writes to what was opened so, are counted; reads of modules are not. */
const PRELOAD = `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { FAIL_BELOW: below, FAIL_AT: at, FAIL_CODE: code, FAIL_COUNT: countFile } = process.env;
const calls = [];
const fds = new Map();
function count(call, path) {
  if (typeof path !== "string" || !path.startsWith(below)) return;
  calls.push(call + " " + path.slice(below.length));
  if (calls.length !== Number(at)) return;
  throw Object.assign(new Error(code + ": made to fail, " + call + " '" + path + "'"), { code, syscall: call, path });
}
const sync = ["mkdirSync", "writeFileSync", "linkSync", "renameSync", "rmSync", "unlinkSync", "chmodSync", "statSync",
  "readdirSync", "readFileSync"];
for (const name of sync) {
  const original = fs[name];
  fs[name] = (path, ...rest) => { count(name.replace("Sync", ""), path); return original(path, ...rest); };
}
const open = fs.openSync;
fs.openSync = (path, ...rest) => { count("open", path); const fd = open(path, ...rest); fds.set(fd, path); return fd; };
for (const [name, call] of [["writeSync", "write"], ["fsyncSync", "fsync"]]) {
  const original = fs[name];
  fs[name] = (fd, ...rest) => { count(call, fds.get(fd)); return original(fd, ...rest); };
}
const close = fs.closeSync;
fs.closeSync = (fd) => { fds.delete(fd); return close(fd); };
for (const name of ["mkdir", "rename", "rm", "open", "readdir", "readFile", "stat", "chmod"]) {
  const original = fs.promises[name];
  fs.promises[name] = async (path, ...rest) => { count(name, path); return original.call(fs.promises, path, ...rest); };
}
const stream = fs.createWriteStream;
fs.createWriteStream = (path, options) => {
  const made = stream(path, options);
  const write = made._write;
  made._write = (chunk, encoding, done) => {
    try { count("stream", path); } catch (error) { return done(error); }
    return write.call(made, chunk, encoding, done);
  };
  made._writev = null;
  return made;
};
syncBuiltinESMExports();
process.on("exit", () => { if (countFile) fs.appendFileSync(countFile, calls.join("\\n") + "\\n"); });
`;

export interface FailingFiles {
  /** The environment in which a command's n-th call fails; 0: none does. */
  env(at: number, code: string): Record<string, string>;
  /** The calls that the commands so far have made. */
  calls(): string[];
}

/** @param folder where the preload is put. @param below the folder whose calls are counted. */
export function failingFiles(folder: string, below: string): FailingFiles {
  const preload = join(folder, "failing-files.mjs");
  const counted = join(folder, "counted");
  writeFileSync(preload, PRELOAD);
  writeFileSync(counted, "");
  return {
    env: (at, code) => ({
      NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`,
      FAIL_BELOW: below,
      FAIL_AT: String(at),
      FAIL_CODE: code,
      FAIL_COUNT: counted,
    }),
    calls: () => readFileSync(counted, "utf8").trim().split("\n"),
  };
}
