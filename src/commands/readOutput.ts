import type { Argv } from "yargs";

import { readOutputs, type OutputValue, type RunOutputs } from "../library/index.js";
import { bytesOfText } from "../text/surrogateEscape.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printError, printJson, screen } from "./output.js";

export const command = "output <run> [name]";
export const describe = "Print an output of a service, or all outputs of a run";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("name", {
      type: "string",
      describe: "SERVICE.NAME of an output or another attribute, such as db.url or web-2.host (default: all outputs)",
    })
    .option("reveal", { type: "boolean", default: false, describe: "Print secrets, too" })
    .option("raw", {
      type: "boolean",
      default: false,
      describe: "Print exactly the value's bytes, without a newline after them",
    })
    .example("$0 output shop", "List the outputs of all services")
    .example("$0 output shop db.url", "Print one value")
    .example("$0 output shop db.token --reveal", "Print a secret");
}

export async function handler(options: {
  readonly run: string;
  readonly name?: string;
  readonly reveal: boolean;
  readonly raw: boolean;
  readonly json: boolean;
}): Promise<number> {
  const { name, reveal, raw, json } = options;
  if (raw && (name === undefined || json))
    throw new UsageError("--raw prints one value: bootlevel output RUN SERVICE.NAME --raw");
  const found = await readOutputs(String(options.run), {
    ...ENVIRONMENT,
    reveal,
    ...(name === undefined ? {} : { name: String(name) }),
  });
  const one = name === undefined ? null : (found.outputs[0] as OutputValue);
  if (json) printJson("output", found);
  else if (one === null) await printAll(found);
  else return printOne(found.run, one, raw);
  return one === null || one.set ? EXIT.fine : EXIT.notFine;
}

function printOne(run: string, { service, name, secret, set, value }: OutputValue, raw: boolean): number {
  if (!set) {
    printError(`bootlevel: ${service}.${name} is not set`);
    return EXIT.notFine;
  }
  if (value === null && secret)
    throw new UsageError(
      `${service}.${name} is a secret. To print it: bootlevel output ${run} ${service}.${name} --reveal`,
    );
  process.stdout.write(bytesOfText(value ?? ""));
  if (!raw) process.stdout.write("\n");
  return EXIT.fine;
}

async function printAll({ run, outputs }: RunOutputs): Promise<void> {
  if (outputs.length === 0) return print(`${run} has no outputs.`);
  const { formatTable } = await import("../display/table.js");
  const rows = outputs.map((output) => [output.service, output.name, shown(output)]);
  print(formatTable(["SERVICE", "OUTPUT", "VALUE"], rows, screen()));
}

/** Longer values are cut; one that is asked for alone is printed in full. */
const LONGEST_VALUE = 200;

function shown({ set, value }: OutputValue): string {
  if (!set) return "(not set)";
  if (value === null) return "(secret)";
  return value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE)}… (${value.length} characters)`;
}
