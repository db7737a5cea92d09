/** Texts of an analysis, shared by the tables and the chart. */
import type { ChainPart, PartKind, RunSection, SectionAnalysis, StepTiming } from "../model/analysis.js";
import { formatDuration } from "./time.js";

/** Names of the kinds of time. */
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
  place: "waited for a slot",
  pause: "between two tries",
  bootlevel: "bootlevel itself",
};

/** `ready, try 3`; the first try has no number. */
export function partWords({ kind, attempt }: Pick<ChainPart, "kind" | "attempt">): string {
  // Setup consists of several programs in sequence. Every other repeated step is a retry.
  return attempt !== null && attempt > 1
    ? `${PART_WORDS[kind]}, ${kind === "setup" ? "part" : "try"} ${attempt}`
    : PART_WORDS[kind];
}

/** How a step ended: `exit code 1`, `launched`, `timed-out`. */
export function outcomeWords({ outcome, exitCode }: Pick<StepTiming, "outcome" | "exitCode">): string {
  if (outcome === null) return "did not end";
  return exitCode === null ? outcome : `exit code ${exitCode}`;
}

/** The result of a section in a word or two. */
export function resultWords({ result, running }: Pick<RunSection, "result" | "running">): string {
  return result ?? (running ? "still running" : "launcher died");
}

/** `12.5 %` */
export function shareWords(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Sentences about limits of the numbers of a section. */
export function caveats(section: SectionAnalysis): string[] {
  const upTo = `the times end with its last event, ${formatDuration(section.ms)} after the start`;
  return [
    ...(section.result === null
      ? [section.running ? `It is still running: ${upTo}.` : `Its launcher died: ${upTo}.`]
      : []),
    ...(section.clockSet ? ["The launcher's clock was changed: times around that moment are estimated."] : []),
    ...(section.blame.length === 0 ? ["It has no recorded steps of services."] : []),
  ];
}
