import type { Argv } from "yargs";
import { ENVIRONMENT } from "./environment.js";
import { RUN, VERBOSE } from "./commonOptions.js";
import { UsageError } from "./exitCodes.js";
import { exitCodeFor, printOutcome } from "./outcome.js";
import { printJson } from "./output.js";
import { withProgress } from "./progress.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { rerun } from "../library/runs.js";

export const command = "rerun <run> <service>";
export const describe = "Run a service's boot program again on the machine that it has, then verify it";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs.positional("run", RUN).positional("service", {
      type: "string",
      demandOption: true,
      describe: "a service or one replica of it; SERVICE:ready only verifies it",
    }),
  )
    .option("verbose", VERBOSE)
    .example("$0 rerun shop db", "the boot program of db once more, with the values of now")
    .example("$0 rerun shop web-2:ready", "only its ready program");
}

export async function handler(
  options: WaitArguments & {
    readonly run: string;
    readonly service: string;
    readonly json: boolean;
    readonly verbose: boolean;
  },
): Promise<number> {
  const [service = "", step = "boot", ...more] = String(options.service).split(":");
  if ((step !== "boot" && step !== "ready") || more.length > 0)
    throw new UsageError(`${options.service}: the program to run again is boot or ready`);
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress(
    { ...options, noun: "the run can be repaired afterwards" },
    (watch) => rerun(String(options.run), service, { ...ENVIRONMENT, ...wait, step, ...watch }),
  );
  if (options.json) printJson("rerun", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
