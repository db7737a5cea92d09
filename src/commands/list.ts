import type { Argv } from "yargs";
import { ENVIRONMENT } from "./environment.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";
import { listRuns } from "../library/records.js";

export const command = "list";
export const describe = "List the runs of this installation";

export function builder(yargs: Argv) {
  return yargs
    .option("all", { alias: "a", type: "boolean", default: false, describe: "Include terminated runs" })
    .example("$0 list", "List runs that are not terminated")
    .example("$0 list --all --json", "List every run, as one JSON document");
}

export async function handler(options: { readonly all: boolean; readonly json: boolean }): Promise<number> {
  const runs = await listRuns({ ...ENVIRONMENT, all: options.all });
  if (options.json) {
    printJson("list", { runs });
    return EXIT.fine;
  }
  if (runs.length === 0) {
    print(
      options.all
        ? "There are no runs yet. Boot one: bootlevel boot PLAN"
        : "There are no runs. (--all shows terminated ones.)",
    );
    return EXIT.fine;
  }
  const [{ formatTable }, { formatAge }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
  ]);
  const rows = runs.map((run) => [
    String(run.id),
    run.name,
    run.state,
    `${run.ready}/${run.services}`,
    run.planName,
    formatAge(Date.now() - run.createdAt),
    run.holder?.alive ? `${run.holder.command} by process ${run.holder.pid}` : "",
  ]);
  print(
    formatTable(["NO", "RUN", "STATE", "READY", "PLAN", "AGE", "BUSY WITH"], rows, { ...screen(), align: ["right"] }),
  );
  return EXIT.fine;
}
