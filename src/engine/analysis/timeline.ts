/** Builds the timeline of one section from its events: levels, their services, their steps. */
import type { LevelTiming, ServiceTiming, StepTiming } from "../../model/analysis.js";
import type { RunEvent, ServiceState } from "../../model/events.js";
import { SlotQueue, type QueuedStep } from "./slotQueue.js";
import type { SectionEvents } from "./sections.js";

type EventOf<T extends RunEvent["type"]> = Extract<RunEvent, { type: T }>;

interface OpenStep extends QueuedStep {
  readonly event: EventOf<"step-started">;
  endMs: number | null;
  end: EventOf<"step-finished"> | null;
}

interface OpenService {
  readonly name: string;
  readonly steps: OpenStep[];
  readonly startMs: number;
  lastMs: number;
  state: ServiceState;
  failure: string | null;
}

interface OpenLevel {
  readonly name: string;
  readonly services: Map<string, OpenService>;
  startMs: number;
  endMs: number | null;
}

/** States that a service does not leave without a new command. */
const SETTLED: ReadonlySet<ServiceState> = new Set(["planned", "ready", "failed", "terminated"]);

/**
 * @param concurrency how many programs run at once
 * @returns the levels in the order in which they began
 */
export function readTimeline({ events, clock }: SectionEvents, concurrency: number): LevelTiming[] {
  const timeline = new Timeline(concurrency);
  events.forEach((event, index) => {
    timeline.add(event, clock.times[index] ?? 0);
  });
  return timeline.close(clock.endMs);
}

class Timeline {
  private readonly levels: OpenLevel[] = [];
  /** Open levels by name. */
  private readonly open = new Map<string, OpenLevel>();
  private readonly levelOf = new Map<string, string>();
  private readonly placeOf = new Map<string, number>();
  private readonly running = new Map<string, { readonly step: OpenStep; readonly service: OpenService }>();
  private readonly places: SlotQueue;

  constructor(concurrency: number) {
    this.places = new SlotQueue(concurrency);
  }

  add(event: RunEvent, time: number): void {
    if (event.type === "run-started") this.learnLevels(event);
    else if (event.type === "level-started") this.openLevel(event.level, time).startMs = time;
    else if (event.type === "level-finished") this.closeLevel(event.level, time);
    else if (event.type === "service-state") this.enterState(event, time);
    else if (event.type === "step-started") this.startStep(event, time);
    else if (event.type === "step-finished") this.endStep(event, time);
    else if (event.type === "service-failed") this.fail(event, time);
  }

  /** @param endMs open levels and steps end here */
  close(endMs: number): LevelTiming[] {
    return this.levels.map((level) => {
      const services = this.inPlanOrder(level).map((service) => this.serviceTiming(level, service, endMs));
      const last = services.reduce<ServiceTiming | null>(
        (latest, one) => (latest === null || endsAfter(one, latest) ? one : latest),
        null,
      );
      const end = level.endMs ?? (services.length === 0 ? endMs : (last?.endMs ?? endMs));
      return {
        name: level.name,
        startMs: Math.min(level.startMs, end),
        endMs: end,
        last: last?.name ?? null,
        services,
      };
    });
  }

  private learnLevels({ levels }: EventOf<"run-started">): void {
    for (const { name, services } of levels) {
      for (const service of services) {
        this.placeOf.set(service, this.placeOf.size);
        this.levelOf.set(service, name);
      }
    }
  }

  private inPlanOrder(level: OpenLevel): OpenService[] {
    const place = (service: OpenService) => this.placeOf.get(service.name) ?? this.placeOf.size;
    return [...level.services.values()].sort((a, b) => place(a) - place(b));
  }

  /**
   * Opens a level if necessary. A step can precede its level's event: an early launch, or the repair of one service.
   */
  private openLevel(name: string, time: number): OpenLevel {
    const known = this.open.get(name);
    if (known !== undefined) return known;
    const level = { name, services: new Map(), startMs: time, endMs: null };
    this.open.set(name, level);
    this.levels.push(level);
    return level;
  }

  private closeLevel(name: string, time: number): void {
    this.openLevel(name, time).endMs = time;
    this.open.delete(name);
  }

  private enterState({ service: name, level, state }: EventOf<"service-state">, time: number): void {
    this.levelOf.set(name, level);
    // A state does not open a level: a service may become "planned" again long before its turn.
    const service = this.open.has(level) ? this.service(name, time) : null;
    if (service === null) return;
    service.state = state;
    service.lastMs = time;
  }

  private fail({ failure }: EventOf<"service-failed">, time: number): void {
    const { level } = failure;
    this.levelOf.set(failure.service, level);
    if (this.open.has(level)) this.service(failure.service, time).failure = failure.message;
  }

  private service(name: string, time: number): OpenService {
    const level = this.openLevel(this.levelOf.get(name) ?? "?", time);
    const known = level.services.get(name);
    if (known !== undefined) return known;
    const service: OpenService = { name, steps: [], startMs: time, lastMs: time, state: "planned", failure: null };
    level.services.set(name, service);
    return service;
  }

  private startStep(event: EventOf<"step-started">, time: number): void {
    const service = this.service(event.service, time);
    const step: OpenStep = { event, startMs: time, grantedMs: null, endMs: null, end: null };
    service.steps.push(step);
    service.lastMs = time;
    this.running.set(stepKey(event), { step, service });
    this.places.enter(event.step, step);
  }

  private endStep(event: EventOf<"step-finished">, time: number): void {
    const running = this.running.get(stepKey(event));
    if (running === undefined) return;
    this.running.delete(stepKey(event));
    const { step, service } = running;
    step.end = event;
    step.endMs = time;
    service.lastMs = time;
    this.places.leave(event.step, step, time);
  }

  private serviceTiming(level: OpenLevel, service: OpenService, endMs: number): ServiceTiming {
    const { name, state, failure, startMs, lastMs } = service;
    const cut = level.endMs === null && (!SETTLED.has(state) || service.steps.some((step) => step.endMs === null));
    const steps = service.steps.map((step) => this.stepTiming(level.name, step, endMs));
    return { name, state, failure, startMs, endMs: cut ? Math.max(lastMs, endMs) : lastMs, steps };
  }

  private stepTiming(
    level: string,
    { event, startMs, grantedMs, endMs, end }: OpenStep,
    sectionEnd: number,
  ): StepTiming {
    const { service, step, attempt } = event;
    const ms = Math.max(0, (endMs ?? sectionEnd) - startMs);
    const exitCode = end?.exitCode ?? null;
    const outcome = end?.outcome ?? null;
    return {
      service,
      level,
      step,
      attempt,
      startMs,
      ms,
      waitedMs: this.places.waited({ startMs, grantedMs }, ms),
      outcome,
      exitCode,
      failed: endedBadly(outcome, exitCode),
    };
  }
}

/** A service with an open step ends later than one that ended at the same time. */
function endsAfter(one: ServiceTiming, other: ServiceTiming): boolean {
  const open = (service: ServiceTiming) => Number(service.steps.some((step) => step.outcome === null));
  return one.endMs > other.endMs || (one.endMs === other.endMs && open(one) > open(other));
}

const BAD_OUTCOMES: ReadonlySet<string> = new Set(["failed", "timed-out", "aborted", "lost", "unknown"]);

function endedBadly(outcome: string | null, exitCode: number | null): boolean {
  return (exitCode !== null && exitCode !== 0) || (outcome !== null && BAD_OUTCOMES.has(outcome));
}

function stepKey({ service, step, attempt }: EventOf<"step-started" | "step-finished">): string {
  return `${service} ${step} ${attempt}`;
}
