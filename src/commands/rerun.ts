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
export const describe = "Run a service's boot program again on its existing machine, then verify it";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs.positional("run", RUN).positional("service", {
      type: "string",
      demandOption: true,
      describe: "Service or replica; SERVICE:ready only verifies it",
    }),
  )
    .option("verbose", VERBOSE)
    .example("$0 rerun shop db", "Run the boot program of db again, with current values")
    .example("$0 rerun shop web-2:ready", "Run only the ready program of web-2");
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
    throw new UsageError(`${options.service}: write SERVICE, SERVICE:boot or SERVICE:ready`);
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress(
    { ...options, afterwards: "The run can then be repaired." },
    (watch) => rerun(String(options.run), service, { ...ENVIRONMENT, ...wait, step, ...watch }),
  );
  if (options.json) printJson("rerun", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
