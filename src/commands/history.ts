import type { Argv } from "yargs";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";
import { history } from "../library/records.js";

export const command = "history <run>";
export const describe = "List every machine ever started for a run, with its current state";

export function builder(yargs: Argv) {
  return yargs.positional("run", RUN).example("$0 history shop", "Cloud, id, service, start, end and current state");
}

export async function handler(options: { readonly run: string; readonly json: boolean }): Promise<number> {
  const { run, machines } = await history(String(options.run), ENVIRONMENT);
  if (options.json) {
    printJson("history", { run, machines });
    return EXIT.fine;
  }
  if (machines.length === 0) {
    print(`No machine was ever started for ${run}.`);
    return EXIT.fine;
  }
  const [{ formatTable }, { formatDuration, formatTime }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
  ]);
  const rows = machines.map(({ requestedAt, service, cloud, id, key, host, launchedAt, endedAt, end, now, reason }) => [
    formatTime(requestedAt),
    service,
    cloud,
    id ?? `(${key})`,
    host ?? "",
    endedAt === null ? "" : formatDuration(endedAt - (launchedAt ?? requestedAt)),
    end,
    reason === "" ? now : `${now}: ${reason}`,
  ]);
  print(formatTable(["STARTED", "SERVICE", "CLOUD", "ID", "HOST", "LIVED", "ENDED", "NOW"], rows, screen()));
  return EXIT.fine;
}
