/** Splits a run's event log into sections, one per command. */
import type { RunSection } from "../../model/analysis.js";
import type { RunEvent } from "../../model/events.js";
import type { EventRecord } from "../../state/contract/records.js";
import { readClock, type ClockReading } from "./clock.js";

/** A section with its events and their times. */
export interface SectionEvents {
  readonly section: RunSection;
  readonly events: readonly RunEvent[];
  readonly clock: ClockReading;
}

/**
 * Splits the log before every `run-started`: a killed launcher records no end. Events before the first one belong to no
 * section.
 * @param records oldest first
 * @param working whether a launcher is working on the run; if so, the newest section is running
 */
export function splitSections(records: readonly EventRecord[], working: boolean): SectionEvents[] {
  const groups: RunEvent[][] = [];
  for (const record of records) {
    if (record.type === "run-started") groups.push([]);
    groups.at(-1)?.push(toEvent(record));
  }
  return groups.map((events, index) => describe(events, index + 1, working && index === groups.length - 1));
}

/** The store keeps an event's time and type apart from its data. */
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
