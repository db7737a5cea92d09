/** Decides which machines are due with `prelaunch: just-in-time`, from the forecast and the run's progress. */
import type { ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { RunContext } from "../run/context.js";
import type { Agenda } from "../tasks/agenda.js";
import { launchTimeAt, type LaterWork } from "./launchTimes.js";
import { Forecast, type Work } from "./forecast.js";
import type { Service } from "../run/service.js";

export interface TimetableUpdate {
  /** Whether services became due since the last check. */
  readonly more: boolean;
  /** When the next one is due as far as known now, in milliseconds since the epoch; null if unknown. */
  readonly next: number | null;
}

export class Timetable {
  private level = -1;
  private startedAt = 0;
  /** Services of the level whose machines are launched with it. */
  private launching: ReadonlySet<Service> = new Set();
  private readonly ready = new Set<Service>();
  /** Due services, by their names in the plan. Once due, a service stays due. */
  private readonly due = new Set<string>();

  private constructor(
    private readonly context: RunContext,
    private readonly agenda: Agenda,
    private readonly forecast: Forecast,
  ) {}

  /** Loads the history of the plan. Null unless the plan says `prelaunch: just-in-time`. */
  static async read(context: RunContext, agenda: Agenda): Promise<Timetable | null> {
    if (context.plan.prelaunch !== "just-in-time") return null;
    const kinds = context.plan.levels
      .flatMap(({ services }) => services)
      .map((spec) => [spec.name, kindOf(spec)] as const);
    return new Timetable(context, agenda, new Forecast(await context.store.pastRuns(context.plan), new Map(kinds)));
  }

  /** A level has sent its own launch requests. */
  levelBegan(level: number, launching: ReadonlySet<Service>): void {
    this.level = level;
    this.startedAt = this.context.clock.now();
    this.launching = launching;
  }

  /** A service is ready. */
  serviceReady(service: Service): void {
    this.ready.add(service);
  }

  isDue(service: Service): boolean {
    return this.due.has(service.spec.name);
  }

  /** Finds the services that are due now. */
  update(): TimetableUpdate {
    const later = this.context.levels
      .slice(this.level + 1)
      .map((services) => this.agenda.among(services))
      .filter((services) => services.length > 0);
    const present = { startedAt: this.startedAt, works: this.worksNow() };
    const { due, next } = launchTimeAt(
      this.forecast,
      present,
      later.map((services) => this.worksThen(services)),
      this.context.clock.now(),
    );
    for (const spec of due) this.due.add(spec);
    return { more: due.length > 0, next };
  }

  private worksNow(): Work[] {
    const open = this.agenda.among(this.context.levels[this.level] ?? []).filter((service) => !this.ready.has(service));
    return oneEach(
      this.working(open).map((service) => ({
        spec: service.spec.name,
        launches: this.launching.has(service) || this.replaces(service),
      })),
    );
  }

  private worksThen(services: readonly Service[]): LaterWork[] {
    return oneEach(
      this.working(services).map((service) => {
        const { name, placement } = service.spec;
        const cloud =
          placement.kind === "cloud" && this.agenda.of(service)?.stage === "launch" && !this.due.has(name)
            ? placement.cloud
            : null;
        return { spec: name, launches: this.replaces(service), cloud };
      }),
    );
  }

  /** A health check takes next to no time. */
  private working(services: readonly Service[]): Service[] {
    return services.filter((service) => this.agenda.of(service)?.stage !== "verify");
  }

  private replaces(service: Service): boolean {
    const stage = this.agenda.of(service)?.stage;
    return stage === "discard" || stage === "replace";
  }
}

/** Machines of the same kind take about equally long. */
function kindOf({ placement, size }: ServiceSpec): string {
  return JSON.stringify(placement.kind === "cloud" ? [placement.cloud, size] : ["host"]);
}

/** Merges the replicas of a service into one entry with the most work. */
function oneEach<T extends Work & Partial<LaterWork>>(works: readonly T[]): T[] {
  const specs = new Map<string, T>();
  for (const work of works) {
    const known = specs.get(work.spec);
    specs.set(
      work.spec,
      known === undefined
        ? work
        : { ...known, launches: known.launches || work.launches, cloud: known.cloud ?? work.cloud },
    );
  }
  return [...specs.values()];
}
