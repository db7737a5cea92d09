import type { Argv } from "yargs";

import { type EventRecord } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson } from "./output.js";
import { readEvents } from "../library/records.js";

export const command = "events <run>";
export const describe = "Show a run's event log: everything that happened to it, in order";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .example("$0 events shop", "a line an event")
    .example("$0 events shop --json", "the same as one document");
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

/** The event's data as `name=value`, without what its line says already. */
function describeEvent(event: EventRecord): string {
  return Object.entries(event.data)
    .filter(([, value]) => value !== null)
    .map(
      ([name, value]) => `${name}=${typeof value === "string" && !value.includes(" ") ? value : JSON.stringify(value)}`,
    )
    .join(" ");
}
