/** A script's short words as sentences for people. */
import { StagingError } from "../contract/errors.js";

const FAILURES: Readonly<Record<string, string>> = {
  directory: "the step's directory cannot be made",
  "no-tar": "the machine has no tar; install it there (Debian: apt-get install tar)",
  unpack: "the program's files cannot be unpacked",
  "cut-off": "the program's files arrived cut off",
  "no-setsid": "the machine has neither setsid nor a shell with job control; install util-linux there",
  runtime: "the directory for attributes and outputs cannot be made",
  claimed: "the step's directory is in use by another launcher",
  "no-sudo": "sudo is asked for, but the machine has none; install it or log in as root",
  sudo: "sudo is asked for, but the machine's sudo refuses it without a password; allow it with NOPASSWD in /etc/sudoers",
};

const LOSSES: Readonly<Record<string, string>> = {
  restarted: "the machine restarted while the program ran",
  "no-start": "the program's start was begun and never finished",
  killed: "the program was killed from outside, together with the shell that would have told its exit code",
  outputs: "the program ended, but its outputs are gone: the machine restarted",
};

/** The error for a script that gave up with `why`; `words` are what the machine's own tools said. */
export function failure(label: string, why: string, words: string): StagingError {
  const sentence = FAILURES[why] ?? `the machine's shell could not start the program (${why})`;
  return new StagingError(`${label}: ${sentence}${words === "" ? "" : ` (${words})`}`);
}

export function lossReason(why: string): string {
  return LOSSES[why] ?? why;
}
