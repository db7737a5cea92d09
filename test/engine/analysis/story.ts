/** Made-up event logs. Moments are milliseconds after `BEGIN`. */
import { analyzeEvents, type AnalysisRequest } from "../../../src/engine/analysis/analyze.js";
import type { RunEvent } from "../../../src/model/events.js";
import type { EventRecord } from "../../../src/state/contract/records.js";
import type { SectionAnalysis } from "../../../src/model/analysis.js";

export const BEGIN = 1_795_240_800_000;

type Body = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "at"> : never) : never;

/** Levels by name, each with its services. */
export type Levels = Readonly<Record<string, readonly string[]>>;

export class Story {
  readonly records: EventRecord[] = [];
  private startedAt = 0;
  private levels: Levels = {};

  add(at: number, { type, ...data }: Body): this {
    const service = "service" in data ? (data.service as string) : null;
    this.records.push({ id: this.records.length + 1, at: BEGIN + at, type, service, data });
    return this;
  }

  begin(at: number, levels: Levels, verb = "boot"): this {
    this.startedAt = at;
    this.levels = levels;
    return this.add(at, {
      type: "run-started",
      run: "shop",
      plan: "shop",
      verb: verb as "boot",
      levels: Object.entries(levels).map(([name, services]) => ({ name, services })),
    });
  }

  level(at: number, level: string): this {
    return this.add(at, { type: "level-started", level, index: Object.keys(this.levels).indexOf(level) });
  }

  endLevel(at: number, level: string, failed = 0): this {
    const begun = this.records.findLast(({ type, data }) => type === "level-started" && data["level"] === level);
    return this.add(at, {
      type: "level-finished",
      level,
      index: Object.keys(this.levels).indexOf(level),
      ms: at + BEGIN - (begun?.at ?? 0),
      failed,
    });
  }

  state(
    at: number,
    service: string,
    state: "launching" | "verifying" | "ready" | "failed" | "terminating" | "terminated" | "planned",
  ): this {
    const level = Object.entries(this.levels).find(([, services]) => services.includes(service))?.[0] ?? "?";
    return this.add(at, { type: "service-state", service, level, state });
  }

  start(at: number, service: string, step: "launch" | "connect" | "boot" | "ready" | "terminate", attempt = 1): this {
    return this.add(at, { type: "step-started", service, step, attempt });
  }

  /** @param ms as the event says it; the wall clock's difference if the test does not care. */
  finish(
    at: number,
    service: string,
    step: "launch" | "connect" | "boot" | "ready" | "terminate",
    options: { attempt?: number; exitCode?: number | null; outcome?: string; ms?: number } = {},
  ): this {
    const { attempt = 1, exitCode = 0, outcome = "exited" } = options;
    const begun = this.records.findLast(
      ({ type, service: name, data }) =>
        type === "step-started" && name === service && data["step"] === step && data["attempt"] === attempt,
    );
    return this.add(at, {
      type: "step-finished",
      service,
      step,
      attempt,
      ms: options.ms ?? at + BEGIN - (begun?.at ?? 0),
      exitCode,
      outcome,
    });
  }

  end(at: number, state: "ready" | "failed" | "terminated" = "ready", ms = at - this.startedAt): this {
    return this.add(at, { type: "run-finished", run: "shop", state, ms });
  }
}

/** Two levels: `db` boots alone, then `web-2` is the slower of two; every millisecond is known. */
export function twoLevels(): Story {
  const story = new Story()
    .begin(0, { storage: ["db"], web: ["web-1", "web-2"] })
    .level(2, "storage")
    .state(3, "db", "launching");
  story
    .start(5, "db", "launch")
    .finish(105, "db", "launch", { outcome: "launched", exitCode: null })
    .start(110, "db", "boot")
    .finish(910, "db", "boot");
  story
    .state(911, "db", "verifying")
    .start(912, "db", "ready")
    .finish(950, "db", "ready")
    .state(955, "db", "ready")
    .endLevel(960, "storage");
  story
    .level(965, "web")
    .state(966, "web-1", "launching")
    .state(967, "web-2", "launching")
    .start(970, "web-1", "boot")
    .start(971, "web-2", "boot");
  story
    .finish(1_470, "web-1", "boot")
    .state(1_472, "web-1", "ready")
    .finish(2_971, "web-2", "boot")
    .state(2_975, "web-2", "ready")
    .endLevel(2_980, "web");
  return story.end(2_990);
}

export function analyze(story: Story, options: Partial<AnalysisRequest> = {}) {
  return analyzeEvents({
    run: "shop",
    events: story.records,
    concurrency: 64,
    working: false,
    section: null,
    top: 20,
    ...options,
  });
}

/** The section that was looked at, which must be there. */
export function sectionOf(story: Story, options: Partial<AnalysisRequest> = {}): SectionAnalysis {
  const { section } = analyze(story, options);
  if (section === null) throw new Error("no section was looked at");
  return section;
}

/** Every number of an analysis; `share` is the only one that is no count of milliseconds. */
export function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}
