/** Reads a user's crontab strictly, as crontab(5) describes it, and runs its lines as cron does. */
import { spawn } from "node:child_process";

import { endOf, type Ended } from "./children.js";

export interface CronJob {
  readonly fields: readonly string[];
  /** As the shell gets it. */
  readonly command: string;
}

export interface Crontab {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: readonly CronJob[];
}

/** Minute, hour, day of the month, month, day of the week. */
const LIMITS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;

/** @throws at a line that cron would refuse, or take otherwise than it looks. */
export function parseCrontab(text: string): Crontab {
  const env: Record<string, string> = {};
  const jobs: CronJob[] = [];
  for (const line of text
    .split("\n")
    .map((one) => one.trim())
    .filter((one) => one !== "" && !one.startsWith("#"))) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) {
      if (/[$~"']/.test(value)) throw new Error(`cron takes this word by word: ${line}`);
      env[name] = value;
      continue;
    }
    const [, schedule, command] = /^((?:\S+\s+){5})(\S.*)$/.exec(line) ?? [];
    if (schedule === undefined || command === undefined) throw new Error(`no line of a crontab: ${line}`);
    const fields = schedule.trim().split(/\s+/);
    fields.forEach((field, index) => {
      checkField(field, LIMITS[index] as readonly [number, number]);
    });
    if (/(^|[^\\])%/.test(command)) throw new Error(`a % that is a line break: ${line}`);
    jobs.push({ fields, command: command.replaceAll("\\%", "%") });
  }
  return { env, jobs };
}

function checkField(field: string, [least, most]: readonly [number, number]): void {
  for (const part of field.split(",")) {
    const [, from, to, step] = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part) ?? [];
    if (!/^(\*|\d+(-\d+)?)(\/\d+)?$/.test(part)) throw new Error(`no field: ${field}`);
    const numbers = [from, to].filter((one) => one !== undefined).map(Number);
    if (
      numbers.some((number) => number < least || number > most) ||
      (numbers.length === 2 && (numbers[0] as number) > (numbers[1] as number))
    )
      throw new Error(`outside ${least}-${most}: ${field}`);
    if (step !== undefined && (Number(step) < 1 || Number(step) > most || (from !== undefined && to === undefined)))
      throw new Error(`a step of nothing: ${field}`);
  }
}

/** What cron sets by itself. */
const CRON_ENV = { PATH: "/usr/bin:/bin", SHELL: "/bin/sh", LOGNAME: "bootlevel" };

/**
 * Runs a command line in cron's poor environment: no terminal, nothing to read, a session of its own. What it prints
 * would be mailed.
 */
export async function runAsCron(command: string, env: Readonly<Record<string, string>>, home: string): Promise<Ended> {
  const all = Object.entries({ ...CRON_ENV, HOME: home, ...env }).map(([name, value]) => `${name}=${value}`);
  return run(["/usr/bin/env", "-i", ...all, "/bin/sh", "-c", 'exec <&-; exec /bin/sh -c "$1"', "cron", command], home);
}

/** Runs a program with exactly this environment. */
export async function runBare(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<Ended> {
  return run(["/usr/bin/env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...words], cwd);
}

function run([file, ...words]: readonly string[], cwd: string): Promise<Ended> {
  const child = spawn(file as string, words, { cwd, env: {}, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  return endOf(words.slice(-3).join(" "), child);
}
