import type { Argv } from "yargs";
import { ENVIRONMENT } from "./environment.js";
import { RUN, VERBOSE, YES } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { exitCodeFor, printOutcome } from "./outcome.js";
import { print, printJson } from "./output.js";
import { demandYes, withProgress } from "./progress.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { reboot } from "../library/runs.js";
import { showRun } from "../library/records.js";

interface RebootArguments extends WaitArguments {
  readonly run: string;
  readonly service?: string[];
  readonly yes: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export const command = "reboot <run> [service..]";
export const describe = "Take a run, or some of its services, down and boot them again on new machines";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs
      .positional("run", RUN)
      .positional("service", { type: "string", array: true, describe: "services, or replicas of them (default: all)" }),
  )
    .option("yes", YES)
    .option("force", { type: "boolean", default: false, describe: "leave the terminate programs out" })
    .option("verbose", VERBOSE)
    .example("$0 reboot shop", "asks, then all of it anew: last level down first, first level up first")
    .example("$0 reboot shop web cache --yes", "these services, and those that need their new addresses");
}

export async function handler(options: RebootArguments): Promise<number> {
  const run = String(options.run);
  const services = (options.service ?? []).map(String);
  const wait = await readWaitOption(options);
  const details = await showRun(run, ENVIRONMENT);
  const count = details.levels.reduce((sum, level) => sum + level.services.length, 0);
  if (
    !options.yes &&
    !(await demandYes(
      `Take ${services.length === 0 ? `all ${count} services` : services.join(", ")} of ${details.run} down and boot again?`,
    ))
  ) {
    print("Nothing was rebooted.");
    return EXIT.wrong;
  }
  const { result, interrupted } = await withProgress({ ...options, noun: "repair goes on with it" }, (watch) =>
    reboot(run, { ...ENVIRONMENT, ...wait, services, force: options.force, ...watch }),
  );
  if (options.json) printJson("reboot", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
