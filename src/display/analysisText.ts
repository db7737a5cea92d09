/** What an analysis says, in words that the tables and the picture share. */
import type { ChainPart, PartKind, RunSection, SectionAnalysis, StepTiming } from "../model/analysis.js";
import { formatDuration } from "./time.js";

/** What time goes by with. */
export const PART_WORDS: Readonly<Record<PartKind, string>> = {
  resolve: "resolve",
  launch: "launch",
  connect: "connect",
  prepare: "cloud-init",
  setup: "packages and recipes",
  boot: "boot",
  ready: "ready",
  execute: "execute",
  report: "report",
  terminate: "terminate",
  destroy: "machines destroyed",
  place: "waited for a place",
  pause: "between two tries",
  bootlevel: "bootlevel itself",
};

/** `ready, try 3`; the first try is not counted. */
export function partWords({ kind, attempt }: Pick<ChainPart, "kind" | "attempt">): string {
  // What sets a machine up is several programs, one after the other; all else that comes again is tried again.
  return attempt !== null && attempt > 1
    ? `${PART_WORDS[kind]}, ${kind === "setup" ? "part" : "try"} ${attempt}`
    : PART_WORDS[kind];
}

/** How a step ended: `exit code 1`, `launched`, `timed-out`. */
export function outcomeWords({ outcome, exitCode }: Pick<StepTiming, "outcome" | "exitCode">): string {
  if (outcome === null) return "did not end";
  return exitCode === null ? outcome : `exit code ${exitCode}`;
}

/** A section's result in a word or two. */
export function resultWords({ result, running }: Pick<RunSection, "result" | "running">): string {
  return result ?? (running ? "still running" : "broken off");
}

/** `12.5 %` */
export function shareWords(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** What a reader must know of the section before believing its numbers, in sentences. */
export function caveats(section: SectionAnalysis): string[] {
  const upTo = `this goes up to its last event, ${formatDuration(section.ms)} after its start`;
  return [
    ...(section.result === null
      ? [section.running ? `It is still running: ${upTo}.` : `It was broken off, its launcher died: ${upTo}.`]
      : []),
    ...(section.clockSet ? ["The launcher's clock was set meanwhile: times around that moment are estimated."] : []),
    ...(section.blame.length === 0 ? ["No step of a service is recorded of it."] : []),
  ];
}
