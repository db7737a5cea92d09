/** `--var` and `--var-file`, for commands that take a plan. */
import type { Argv } from "yargs";

import { UsageError } from "./exitCodes.js";

export interface VariableArguments {
  readonly var?: string[];
  readonly varFile?: string[];
}

export function addVariableOptions<T>(yargs: Argv<T>) {
  return yargs
    .option("var", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe:
        "Set a variable: name=value; repeatable. Not for secrets: other users can see arguments, so use --var-file or the " +
        "variable's env",
    })
    .option("var-file", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "YAML file of variables; repeatable. Later files override earlier ones, --var overrides files",
    });
}

/** @throws UsageError for a `--var` without `=`. */
export function readVariableOptions(options: VariableArguments): {
  variables: Record<string, string>;
  varFiles: string[];
} {
  const pairs = (options.var ?? []).map((text): [string, string] => {
    const equals = text.indexOf("=");
    if (equals < 1) throw new UsageError(`--var ${equals === -1 ? text : "…"}: write name=value`);
    return [text.slice(0, equals), text.slice(equals + 1)];
  });
  return { variables: Object.fromEntries(pairs), varFiles: options.varFile ?? [] };
}
