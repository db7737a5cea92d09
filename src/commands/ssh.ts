import type { Argv } from "yargs";

import { logIn } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { UsageError } from "./exitCodes.js";

export const command = "ssh <run> <service> [command..]";
export const describe = "Log in to a service's machine, or run one command there";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("service", { type: "string", demandOption: true, describe: "Service or replica" })
    .positional("command", {
      type: "string",
      array: true,
      describe: "Command for the machine's shell (default: open a shell); put it after -- if it has options",
    })
    .example("$0 ssh shop web-2", "Open a shell in the directory of web-2's boot program")
    .example("$0 ssh shop db -- tail -n 20 /var/log/syslog", "Run one command and exit with its exit code");
}

export async function handler(options: {
  readonly run: string;
  readonly service: string;
  readonly command?: string[];
  readonly "--"?: string[];
  readonly json: boolean;
}): Promise<number> {
  if (options.json) throw new UsageError("ssh does not support --json: leave it out");
  const words = [...(options.command ?? []), ...(options["--"] ?? [])].map(String);
  const line = words.length === 0 ? null : words.join(" ");
  const { stdin, stdout } = process;
  const atTerminal = line === null && stdin.isTTY && stdout.isTTY;
  const size = () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 });
  try {
    return await logIn(String(options.run), String(options.service), {
      ...ENVIRONMENT,
      command: line,
      terminal: atTerminal ? { type: process.env["TERM"] ?? "xterm", ...size() } : null,
      raw: (on) => {
        stdin.setRawMode(on);
      },
      input: stdin,
      output: stdout,
      errors: process.stderr,
      onResize: (listener) => {
        const report = (): void => {
          listener(size());
        };
        stdout.on("resize", report);
        return () => {
          stdout.off("resize", report);
        };
      },
    });
  } finally {
    // An unread pipe must not keep the process alive.
    stdin.pause();
    if ("unref" in stdin) stdin.unref();
  }
}
