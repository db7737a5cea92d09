/** Runs `bl`, which is in the PATH of every program, as a child process. */
import { spawn } from "node:child_process";

/** `bl` failed. Exit codes: 1 not set, 7 unknown name, 8 aborted, 9 timed out, 10 no launcher. */
export class BlError extends Error {
  constructor(words, code, said) {
    const clean = said.trim().replace(/^bl: /, "");
    super(`bl ${words[0]} ${words[1] ?? ""}: ${clean || `exit code ${code}`}`);
    this.code = code;
    this.said = clean;
  }
}

/** Resolves with the output. `input` goes to standard input, because a value may be longer than an argument. */
export function bl(words, input = null) {
  return new Promise((resolve, reject) => {
    const child = spawn("bl", words, { stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"] });
    const said = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      said.out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said.err += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(said.out.replace(/\n$/, ""));
      else reject(new BlError(words, code, said.err));
    });
    if (input !== null) child.stdin.on("error", () => undefined).end(input); // its exit code says why it took no more
  });
}

/** The values of all replicas, in order. None of the values used here contains a comma. */
export async function list(name, ...more) {
  const values = await bl(["get", name, ...more]);
  return values === "" ? [] : values.split(",");
}

/**
 * Milliseconds from the release to the continuation: on one computer, the work of the first programs would delay the
 * release of the others.
 */
const SETTLE_MS = 100;

/**
 * Meets the others at a barrier. Resolves a moment after the release, with its time in milliseconds of the wall clock.
 * The time is exact because this process already runs: nothing starts between the launcher's answer and the clock.
 */
export function meet(name, parties, seconds) {
  const words = ["barrier", name, "--parties", String(parties), "--timeout", String(seconds)];
  return new Promise((resolve, reject) => {
    const child = spawn("bl", words, { stdio: ["ignore", "ignore", "pipe"] });
    let [said, letGo] = ["", 0];
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    child.once("error", reject);
    child.once("exit", () => {
      letGo = now();
    });
    child.once("close", (code) => {
      if (code === 0) setTimeout(resolve, SETTLE_MS, letGo);
      else reject(new BlError(words, code, said));
    });
  });
}

/** Milliseconds since 1970, with fractions. */
export const now = () => performance.timeOrigin + performance.now();

/** Encodes lists and objects as one word without commas, because commas join the values of several replicas. */
export const pack = (value) => Buffer.from(JSON.stringify(value)).toString("base64");
export const unpack = (word) => JSON.parse(Buffer.from(word, "base64").toString());
