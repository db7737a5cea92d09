/** Analyzes where a run's time went, from its recorded events. A pure function of its arguments. */
import type { LevelTiming, RunAnalysis, SectionAnalysis, StepTiming } from "../../model/analysis.js";
import type { EventRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import { criticalPath } from "./criticalPath.js";
import { splitSections, type SectionEvents } from "./sections.js";
import { readTimeline } from "./timeline.js";

export interface AnalysisRequest {
  /** The run's name. */
  readonly run: string;
  /** The run's complete event log, oldest first. */
  readonly events: readonly EventRecord[];
  /** The plan's `concurrency`: how many programs run at once. */
  readonly concurrency: number;
  /** Whether a launcher is working on the run. */
  readonly working: boolean;
  /** Section number from 1; null for the newest section that is not a termination. */
  readonly section: number | null;
  /** How many of the longest steps to list. */
  readonly top: number;
}

/**
 * Analyzes one section of a run.
 * @throws StateError when the run has no such section.
 */
export function analyzeEvents(request: AnalysisRequest): RunAnalysis {
  const sections = splitSections(request.events, request.working);
  const chosen = choose(sections, request);
  return {
    run: request.run,
    sections: sections.map(({ section }) => section),
    section: chosen === undefined ? null : analyzeSection(chosen, request),
  };
}

function choose(sections: readonly SectionEvents[], { run, section }: AnalysisRequest): SectionEvents | undefined {
  if (section === null) return sections.findLast((one) => one.section.verb !== "terminate");
  const chosen = sections[section - 1];
  if (chosen === undefined)
    throw new StateError(
      `run "${run}" has no section ${section}; it has ${sections.length}`,
      `bootlevel analyze ${run} --sections lists them`,
    );
  return chosen;
}

function analyzeSection(chosen: SectionEvents, { concurrency, top }: AnalysisRequest): SectionAnalysis {
  const { section, clock } = chosen;
  const wallMs = measuredWall(chosen) ?? clock.endMs;
  const levels = readTimeline(chosen, concurrency);
  const chain = criticalPath(levels, clock.endMs, wallMs);
  const chainMs = chain.reduce((sum, part) => sum + part.ms, 0);
  return { ...section, wallMs, chainMs, clockSet: clock.set, blame: longestSteps(levels, top), chain, levels };
}

/** The launcher's own measurement; null if the clock was changed meanwhile. */
function measuredWall({ events, clock }: SectionEvents): number | null {
  const end = events.findLast((event) => event.type === "run-finished");
  return end === undefined || clock.set || !(end.ms >= 0) ? null : end.ms;
}

function longestSteps(levels: readonly LevelTiming[], top: number): StepTiming[] {
  return levels
    .flatMap((level) => level.services.flatMap((service) => service.steps))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, top);
}
