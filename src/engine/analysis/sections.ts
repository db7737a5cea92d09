/** A run's event log, cut into what each command did. */
import type { RunSection } from "../../model/analysis.js";
import type { RunEvent } from "../../model/events.js";
import type { EventRecord } from "../../state/contract/records.js";
import { readClock, type ClockReading } from "./clock.js";

/** A section with its events, each with its moment. */
export interface SectionEvents {
  readonly section: RunSection;
  readonly events: readonly RunEvent[];
  readonly clock: ClockReading;
}

/**
 * Cuts the log before every `run-started`: a launcher that was killed wrote no end, and the next one begins all the
 * same. What stands before the first one belongs to no section.
 * @param records oldest first.
 * @param working whether a launcher works on the run: the newest section is still running then.
 */
export function splitSections(records: readonly EventRecord[], working: boolean): SectionEvents[] {
  const groups: RunEvent[][] = [];
  for (const record of records) {
    if (record.type === "run-started") groups.push([]);
    groups.at(-1)?.push(toEvent(record));
  }
  return groups.map((events, index) => describe(events, index + 1, working && index === groups.length - 1));
}

/** The store keeps an event's time and type beside its data. */
function toEvent({ at, type, data }: EventRecord): RunEvent {
  return { ...data, at, type } as RunEvent;
}

function describe(events: readonly RunEvent[], number: number, working: boolean): SectionEvents {
  const [first] = events as [Extract<RunEvent, { type: "run-started" }>];
  const last = events.findLast((event) => event.type === "run-finished");
  const clock = readClock(events);
  const section = {
    number,
    verb: first.verb,
    startedAt: first.at,
    ms: clock.endMs,
    result: last?.state ?? null,
    running: last === undefined && working,
  };
  return { section, events, clock };
}
