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
export const describe = "Take a run or some of its services down, then boot them on new machines";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs
      .positional("run", RUN)
      .positional("service", { type: "string", array: true, describe: "Services or replicas (default: all)" }),
  )
    .option("yes", YES)
    .option("force", {
      type: "boolean",
      default: false,
      describe: "Skip the terminate programs, and give up reports that could not be brought home",
    })
    .option("verbose", VERBOSE)
    .example("$0 reboot shop", "Ask, then take all levels down and boot them again")
    .example("$0 reboot shop web cache --yes", "Reboot these services and those that depend on them");
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
      `Take ${services.length === 0 ? `all ${count} services` : services.join(", ")} ` +
        `of ${details.run} down and boot them again?`,
    ))
  ) {
    print("Nothing was rebooted.");
    return EXIT.wrong;
  }
  const { result, interrupted } = await withProgress({ ...options, afterwards: "Run repair to continue." }, (watch) =>
    reboot(run, { ...ENVIRONMENT, ...wait, services, force: options.force, ...watch }),
  );
  if (options.json) printJson("reboot", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
