/** Calls `bl`, which every program finds in its PATH, as a child. */
import { spawn } from "node:child_process";

/** What `bl` said when it did not end with 0: 1 not set, 7 unknown name, 8 aborted, 9 timed out, 10 no launcher. */
export class BlError extends Error {
  constructor(words, code, said) {
    const clean = said.trim().replace(/^bl: /, "");
    super(`bl ${words[0]} ${words[1] ?? ""}: ${clean || `exit code ${code}`}`);
    this.code = code;
    this.said = clean;
  }
}

/** Resolves with what it printed. `input` is given on standard input: values may be longer than an argument. */
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
    if (input !== null) child.stdin.on("error", () => undefined).end(input); // why it took no more is told by its exit code
  });
}

/** Values of all replicas, in their order. None of those used here has a comma in it. */
export async function list(name, ...more) {
  const values = await bl(["get", name, ...more]);
  return values === "" ? [] : values.split(",");
}

/**
 * Milliseconds from being let go to going on: on one computer, the work of the first would hold those up who are about
 * to be let go.
 */
const SETTLE_MS = 100;

/**
 * Meets the others. Resolves a moment later with when it was let go, in milliseconds of the wall clock.
 * This process runs already, so that nothing has to be started between the launcher's answer and that.
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

/** Lists and objects as one word without commas: the values of several replicas arrive joined by commas. */
export const pack = (value) => Buffer.from(JSON.stringify(value)).toString("base64");
export const unpack = (word) => JSON.parse(Buffer.from(word, "base64").toString());
