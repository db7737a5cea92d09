import type { Argv } from "yargs";

import { findOutput, setOutput, type SetOutputResult } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { onInterrupt } from "./interrupt.js";
import { print, printJson } from "./output.js";

export const command = "set <run> <name> [value]";
export const describe = "Set an output of a service, as its programs do with bl set";

/** The largest value that a run takes, in bytes. */
const LONGEST_VALUE = 16 * 1024 * 1024;

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("name", { type: "string", demandOption: true, describe: "SERVICE.NAME, such as db.url or web-2.port" })
    .positional("value", {
      type: "string",
      describe: "Value; - or nothing reads standard input, byte for byte (required for secrets)",
    })
    .example("$0 set shop db.url postgres://10.0.0.4/shop", "Let programs go on that wait for db:url")
    .example('printf %s "$TOKEN" | $0 set shop db.token -', "Set a secret");
}

export async function handler(options: {
  readonly run: string;
  readonly name: string;
  readonly value?: string;
  readonly "--"?: string[];
  readonly json: boolean;
}): Promise<number> {
  const { run, name } = options;
  // yargs takes "-" for an empty text, which no word before "--" can be.
  const typed = options.value === "" ? "-" : options.value;
  const [value, ...more] = [...(typed === undefined ? [] : [typed]), ...(options["--"] ?? [])];
  if (more.length > 0) throw new UsageError("set takes one value: quote one that contains spaces");
  const { secret, service, output } = await findOutput(String(run), String(name), ENVIRONMENT);
  const shown = value !== undefined && typed !== "-";
  if (secret && shown)
    throw new UsageError(
      `${service}.${output} is a secret, and process lists show arguments: pass it on standard input, ` +
        `printf %s "$VALUE" | bootlevel set ${run} ${service}.${output} -`,
    );
  const given = shown ? Buffer.from(value) : await standardInput();
  if (value === undefined && given.length === 0)
    throw new UsageError(
      "no value given, and nothing on standard input. For an empty value: bootlevel set RUN SERVICE.NAME - </dev/null",
    );
  const interruption = onInterrupt(() => undefined);
  try {
    const result = await setOutput(String(run), String(name), given, {
      ...ENVIRONMENT,
      signal: interruption.signal,
    });
    if (options.json) printJson("set", result);
    else print(words(result));
    return EXIT.fine;
  } finally {
    interruption.release();
  }
}

/** @throws UsageError at a terminal, where nothing says when the value ends. */
async function standardInput(): Promise<Buffer> {
  const { stdin } = process;
  if (stdin.isTTY)
    throw new UsageError("no value given: bootlevel set RUN SERVICE.NAME VALUE, or pass it on standard input");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LONGEST_VALUE)
      throw new UsageError(`the value is longer than ${LONGEST_VALUE} bytes, which is the limit`);
  }
  return Buffer.concat(chunks);
}

function words({ run, service, output, workedOnBy, due }: SetOutputResult): string {
  const set = `${service}.${output} is set.`;
  if (workedOnBy !== null) return `${set} ${workedOnBy} works on ${run}, and its programs have the value.`;
  if (due.length === 0) return set;
  return `${set} ${due.join(", ")} ${due.length === 1 ? "refers" : "refer"} to it and must follow: bootlevel repair ${run}`;
}
