/** `--set` and `--replicas`: values on the command line, which override the plan. */
import type { Argv } from "yargs";

import type { Given } from "../library/index.js";
import { UsageError } from "./exitCodes.js";

export interface GivenArguments {
  readonly set?: string[];
  readonly replicas?: string[];
}

const MOST_REPLICAS = 10_000;

export function addGivenOptions<T>(yargs: Argv<T>) {
  return yargs
    .option("set", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "Set an input of a service: service.input=value; repeatable",
    })
    .option("replicas", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "Set the number of replicas of a service: service=5; repeatable",
    });
}

/**
 * @throws UsageError for malformed options. Unknown services and inputs are reported when the plan is checked.
 */
export function readGivenOptions(options: GivenArguments): Given {
  const inputs: Record<string, Record<string, string>> = {};
  for (const text of options.set ?? []) {
    const [, service, name, value] = /^([A-Za-z][A-Za-z0-9_-]*)\.([^=]+)=([^]*)$/.exec(text) ?? [];
    if (service === undefined || name === undefined || value === undefined)
      throw new UsageError(`--set ${text.split("=", 1)[0] ?? ""}: write service.input=value`);
    inputs[service] = { ...inputs[service], [name]: value };
  }
  const replicas = Object.fromEntries(
    (options.replicas ?? []).map((text): [string, number] => {
      const [, service, count] = /^([^=]+)=([0-9]{1,5})$/.exec(text) ?? [];
      if (service === undefined || Number(count) > MOST_REPLICAS)
        throw new UsageError(`--replicas ${text}: write service=5, a whole number from 0 to ${MOST_REPLICAS}`);
      return [service, Number(count)];
    }),
  );
  return { replicas, inputs };
}
