import type { Argv } from "yargs";

import { checkVariables, describePlan, loadPlan } from "../index.js";
import { PLAN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson } from "./output.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";

export const command = "validate <plan>";
export const describe = "Check a launch plan; print its mistakes, or what it would start";

export function builder(yargs: Argv) {
  return addVariableOptions(yargs.positional("plan", PLAN))
    .example("$0 validate shop.yaml", "every mistake with file, line and column, or the plan's levels and services")
    .example("$0 validate shop.yaml --var-file test.yaml --json", "for an editor or a pipeline");
}

export async function handler(options: VariableArguments & { readonly plan: string; readonly json: boolean }): Promise<number> {
  const plan = await loadPlan(options.plan);
  await checkVariables(plan, readVariableOptions(options));
  const description = await describePlan(plan);
  if (options.json) printJson("validate", { valid: true, plan: description });
  else print((await import("./description.js")).formatDescription(description));
  return EXIT.fine;
}
