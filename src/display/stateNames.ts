import type { ServiceState } from "../model/events.js";
import type { Segment, StyleName } from "./style.js";

/** The text and colour of each state. */
export const STATE_WORDS: Readonly<Record<ServiceState, readonly [word: string, style: StyleName]>> = {
  ready: ["ready ✔", "green"],
  executing: ["executing", "cyan"],
  verifying: ["verifying", "cyan"],
  booting: ["booting", "cyan"],
  connecting: ["connecting", "cyan"],
  launching: ["launching", "cyan"],
  terminating: ["terminating", "cyan"],
  terminated: ["terminated ✔", "green"],
  failed: ["failed ✖", "red"],
  // Not "planned", since in a terminate run nothing is planned any more.
  planned: ["waiting", "dim"],
};

/** The order in which counts are listed. */
const STATES = Object.keys(STATE_WORDS) as ServiceState[];

/** `137 ready · 60 booting · 3 failed`: number of services by state, without zeros. */
export function countSegments(counts: ReadonlyMap<ServiceState, number>): Segment[] {
  const segments: Segment[] = [];
  for (const state of STATES) {
    const count = counts.get(state) ?? 0;
    if (count === 0) continue;
    if (segments.length > 0) segments.push([" · ", "dim"]);
    const [word, style] = STATE_WORDS[state];
    segments.push([`${count} ${word.replace(/ .$/, "")}`, style]);
  }
  return segments;
}

/** `1 service`, `3 services`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
