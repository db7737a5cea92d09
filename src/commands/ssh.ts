import type { Argv } from "yargs";

import { logIn } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { UsageError } from "./exitCodes.js";

export const command = "ssh <run> <service> [command..]";
export const describe = "Log in to the machine of a service, or run one command there";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("service", { type: "string", demandOption: true, describe: "a service, or one replica of it" })
    .positional("command", {
      type: "string",
      array: true,
      describe: "a command for the machine's shell, instead of a shell; after -- where it has options",
    })
    .example("$0 ssh shop web-2", "a shell where web-2's boot program lies")
    .example("$0 ssh shop db -- tail -n 20 /var/log/syslog", "one command; its exit code is the command's");
}

export async function handler(options: {
  readonly run: string;
  readonly service: string;
  readonly command?: string[];
  readonly "--"?: string[];
  readonly json: boolean;
}): Promise<number> {
  if (options.json) throw new UsageError("a shell speaks no JSON: leave out --json");
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
        const tell = (): void => {
          listener(size());
        };
        stdout.on("resize", tell);
        return () => {
          stdout.off("resize", tell);
        };
      },
    });
  } finally {
    // A pipe that nobody reads to its end must not keep the process.
    stdin.pause();
    if ("unref" in stdin) stdin.unref();
  }
}
