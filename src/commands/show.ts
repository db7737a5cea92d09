import type { Argv } from "yargs";

import { type RunDetails, type ShownService } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";
import { showRun } from "../library/records.js";

export const command = "show <run>";
export const describe = "Show the recorded state of a run: levels, services, addresses, attributes";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .example("$0 show shop", "Show the last recorded state (status checks it again)")
    .example("$0 show shop --json", "Print one JSON document");
}

export async function handler(options: { readonly run: string; readonly json: boolean }): Promise<number> {
  const run = await showRun(options.run, { ...ENVIRONMENT, builtIns: options.json });
  if (options.json) printJson("show", run);
  else await printRun(run);
  return EXIT.fine;
}

async function printRun(run: RunDetails): Promise<void> {
  const [{ formatTable }, { formatTime }, { formatFailures }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
    import("../display/failure.js"),
  ]);
  print(
    `Run ${run.run} (number ${run.number}) is ${run.state}, booted ${formatTime(run.createdAt)} from ${run.planFile}`,
  );
  if (run.holder?.alive)
    print(
      `${run.holder.command} (process ${run.holder.pid} on ${run.holder.host}) ` +
        `has been working on it since ${formatTime(run.holder.since)}`,
    );
  if (run.abort !== null) print(`Aborted by ${run.abort.origin} at ${formatTime(run.abort.at)}: ${run.abort.reason}`);
  const variables = Object.entries(run.variables).map(([name, { value }]) => `${name}=${value ?? "(secret)"}`);
  if (variables.length > 0) print(`Variables: ${variables.join("  ")}`);
  const images = run.levels.some((level) => level.services.some(({ image }) => image !== null));
  const rows = run.levels.flatMap((level, index) =>
    level.services.map((service, place) => [
      place === 0 ? `${index + 1} ${level.name}` : "",
      service.name,
      stateText(service.state, run.holder?.alive === true),
      service.cloud ?? "",
      service.host ?? "",
      ...(images ? [imageText(service)] : []),
      attributeText(service),
    ]),
  );
  print(
    `\n${formatTable(["LEVEL", "SERVICE", "STATE", "CLOUD", "HOST", ...(images ? ["IMAGE"] : []), "ATTRIBUTES"], rows, screen())}`,
  );
  const failures = run.levels
    .flatMap((level) => level.services)
    .sort((one, other) => one.since - other.since)
    .flatMap((service) => service.failure ?? []);
  if (failures.length > 0) print(`\n${formatFailures(failures, screen())}`);
}

/** The recorded state; "interrupted" beside one that a launcher should be moving on from, if there is none. */
function stateText(state: ShownService["state"], working: boolean): string {
  return working || RESTING.has(state) ? state : `${state} (interrupted)`;
}

const RESTING: ReadonlySet<ShownService["state"]> = new Set(["planned", "ready", "failed", "terminated"]);

/** `apache`; `apache v2` if built; `apache on base v1` if only a parent image is built. */
function imageText({ image }: ShownService): string {
  if (image === null || image.built === null) return image?.name ?? "";
  const built = `${image.built.image} v${image.built.version}`;
  return image.built.image === image.name ? built : `${image.name} on ${built}`;
}

/** Attributes set by the plan or programs; built-in ones have their own columns. */
function attributeText(service: ShownService): string {
  return Object.entries(service.attributes)
    .filter(([, attribute]) => attribute.kind !== "builtin")
    .map(([name, { value }]) => `${name}=${value === null ? "(secret)" : shortened(value)}`)
    .join("  ");
}

/** Longer values are shortened; `--json` prints them in full. */
const LONGEST_VALUE = 200;

function shortened(value: string): string {
  return value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE / 2)}… (${value.length} characters)`;
}
