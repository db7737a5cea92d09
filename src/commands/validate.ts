import type { Argv } from "yargs";

import { type OnlineCheck } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { PLAN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { addGivenOptions, readGivenOptions, type GivenArguments } from "./givenOptions.js";
import { print, printError, printJson } from "./output.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { checkOnline, checkVariables, describePlan, loadPlan } from "../library/plans.js";

export const command = "validate <plan>";
export const describe = "Check a launch plan, and print its mistakes or what it would start";

export function builder(yargs: Argv) {
  return addGivenOptions(addVariableOptions(yargs.positional("plan", PLAN)))
    .option("online", {
      type: "boolean",
      default: false,
      describe: "Also check with the plan's clouds that its launches would be accepted; launch nothing",
    })
    .example("$0 validate shop.yaml", "Print every mistake, or the levels and services")
    .example("$0 validate shop.yaml --var-file test.yaml --json", "For editors and CI")
    .example("$0 validate shop.yaml --online", "Also check credentials, images, sizes and networks");
}

export async function handler(
  options: VariableArguments &
    GivenArguments & { readonly plan: string; readonly online: boolean; readonly json: boolean },
): Promise<number> {
  const plan = await loadPlan(options.plan, { ...ENVIRONMENT, given: readGivenOptions(options) });
  await checkVariables(plan, { ...ENVIRONMENT, ...readVariableOptions(options) });
  const description = await describePlan(plan);
  const online = options.online
    ? await checkOnline(plan, {
        ...ENVIRONMENT,
        ...readVariableOptions(options),
        onWarning: (message) => {
          printError(`bootlevel: ${message}`);
        },
      })
    : null;
  if (options.json) printJson("validate", { valid: true, plan: description, ...(online === null ? {} : { online }) });
  else {
    const { formatDescription, shortNames } = await import("./description.js");
    print(formatDescription(description));
    if (online !== null) print(`\n${formatCheck(online, shortNames)}`);
  }
  return EXIT.fine;
}

function formatCheck({ checked, unchecked }: OnlineCheck, names: (names: readonly string[]) => string): string {
  return [
    ...checked
      .filter(({ services }) => services.length > 0)
      .map(({ cloud, services }) => `Cloud "${cloud}" would launch ${names(services)}.`),
    ...unchecked.map(({ cloud, services, why }) => `Not checked: ${names(services)} on cloud "${cloud}": ${why}.`),
  ].join("\n");
}
