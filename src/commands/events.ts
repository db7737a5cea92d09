import type { Argv } from "yargs";

import { type EventRecord } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson } from "./output.js";
import { readEvents } from "../library/records.js";

export const command = "events <run>";
export const describe = "Print the event log of a run, oldest first";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .example("$0 events shop", "Print one line per event")
    .example("$0 events shop --json", "Print one JSON document");
}

export async function handler(options: { readonly run: string; readonly json: boolean }): Promise<number> {
  const events = await readEvents(options.run, ENVIRONMENT);
  if (options.json) {
    printJson("events", { run: options.run, events });
    return EXIT.fine;
  }
  const { stripControl } = await import("../display/terminalText.js");
  for (const event of events)
    print(`${new Date(event.at).toISOString()}  ${event.type}  ${stripControl(describeEvent(event))}`.trimEnd());
  return EXIT.fine;
}

/** The data of an event as `name=value`, without null values. */
function describeEvent(event: EventRecord): string {
  return Object.entries(event.data)
    .filter(([, value]) => value !== null)
    .map(
      ([name, value]) => `${name}=${typeof value === "string" && !value.includes(" ") ? value : JSON.stringify(value)}`,
    )
    .join(" ");
}
