/** Turns the short failure codes of the scripts into sentences. */
import { HostTakenError, StagingError } from "../contract/errors.js";
import { hostTaken } from "./hostMarker.js";

const FAILURES: Readonly<Record<string, string>> = {
  start: "cannot write into the step's directory",
  directory: "cannot create the step's directory",
  "no-tar": "the machine has no tar; install it there (Debian: apt-get install tar)",
  unpack: "the program's files cannot be unpacked",
  "cut-off": "the upload of the program's files was cut off",
  "no-setsid": "the machine has neither setsid nor a shell with job control; install util-linux there",
  runtime: "cannot create the runtime directory for attributes and outputs",
  claimed: "another launcher already uses the step's directory",
  "no-sudo": "the step needs sudo, but the machine has none; install it or log in as root",
};

/** Failures that a full or read-only disk of the machine causes. */
const STORAGE: ReadonlySet<string> = new Set(["directory", "unpack", "cut-off", "runtime", "start"]);

const LOSSES: Readonly<Record<string, string>> = {
  restarted: "the machine restarted while the program ran",
  "no-start": "the start of the program began but never finished",
  killed: "the program and the shell that records its exit code were killed from outside",
  malformed: "the machine sent a result that is none: its exit code or the size of its outputs is no number",
  outputs: "the program ended, but the machine restarted and its outputs are lost",
};

/** What the tools' words about storage mean. */
const STORAGE_WORDS: readonly (readonly [words: RegExp, sentence: string])[] = [
  [/read-only file system/i, "the home directory is read-only there; make it writable, or use another user"],
  [/no space left|disk quota|file too large/i, "the disk or the user's quota is full there; make room"],
  [/permission denied/i, "the user may not write to the home directory there; change its owner or rights"],
];
const TAKEN = "taken ";

/** What sudo's own words mean; the last one fits all. */
const SUDO_REFUSALS: readonly (readonly [words: RegExp, sentence: string])[] = [
  [/must have a tty/, "sudo demands a terminal (requiretty); turn that off with Defaults !requiretty in /etc/sudoers"],
  [
    /not in the sudoers|not allowed to|may not run/,
    "sudo does not let the user run /bin/sh; allow it with NOPASSWD in /etc/sudoers",
  ],
  [/password|^$/, "sudo asks for a password; allow it with NOPASSWD in /etc/sudoers"],
  [/./, "sudo refuses"],
];

/** Why sudo cannot be used, from its own words. */
export function sudoRefusal(words: string): string {
  return SUDO_REFUSALS.find(([pattern]) => pattern.test(words))?.[1] ?? "sudo refuses";
}

/** The error for a script that failed with code `why`. `words`: the output of the machine's own tools. */
export function failure(label: string, why: string, words: string): StagingError {
  if (why.startsWith(TAKEN)) return new HostTakenError(`${label}: ${hostTaken(why.slice(TAKEN.length))}`);
  const known = why === "sudo" ? `the step needs sudo, but ${sudoRefusal(words)}` : FAILURES[why];
  const storage = STORAGE.has(why) ? STORAGE_WORDS.find(([pattern]) => pattern.test(words))?.[1] : undefined;
  const told = known === undefined || storage === undefined ? known : `${known}: ${storage}`;
  const sentence = told ?? `the machine's shell could not start the program (${why.slice(0, LONGEST_REASON)})`;
  const remedy = STORAGE.has(why) ? "make room on the machine's disk, or make its work directory writable" : "";
  return new StagingError(`${label}: ${sentence}${words === "" ? "" : ` (${words})`}`, { remedy });
}

export function lossReason(why: string): string {
  return LOSSES[why] ?? `the machine sent the unknown reason "${why.slice(0, LONGEST_REASON)}"`;
}

/** The longest reason that is repeated, in characters. */
const LONGEST_REASON = 100;
