/**
 * Launches machines of later levels while earlier levels still boot; only programs have to wait for their level. A
 * level's own launch requests go first. A failure here does not fail the run: it is a warning, and the launch is
 * retried when the machine's level begins.
 */
import { setMaxListeners } from "node:events";

import type { Agenda } from "../tasks/agenda.js";
import { isInterruptedError, pause } from "../run/failure.js";
import { change, stateEvent, warning } from "../run/journal.js";
import { EarlyCandidates } from "./earlyCandidates.js";
import { groupByCloud, type EarlyLaunch } from "./launchMachines.js";
import type { Batch, LaunchResult, MachineLaunches } from "./machineLaunches.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Timetable } from "./timetable.js";
import type { Service } from "../run/service.js";

/** A launch that began before its level. */
interface PendingLaunch {
  readonly answered: Promise<void>;
  /** Resolves when the launch has ended completely. */
  readonly done: Promise<void>;
}

export interface EarlyParts {
  readonly context: RunContext;
  readonly assignments: MachineAssignments;
  readonly agenda: Agenda;
  readonly machines: MachineLaunches;
  /** Null unless the plan says `prelaunch: just-in-time`. */
  readonly timetable: Timetable | null;
}

/** How often the forecast is checked again, in milliseconds. */
const RECHECK_MS = 5_000;

export class EarlyLaunches {
  private readonly candidates: EarlyCandidates;
  /** Per cloud: the end of the queue of launch requests. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly pending = new Map<Service, PendingLaunch>();
  /** Services that became "launching" before their level. */
  private readonly launching = new Set<Service>();
  /** Aborted when no more machines are launched early. */
  private readonly stopped = new AbortController();
  private readonly early: EarlyLaunch;
  /** Resolves when no timer for a just-in-time launch is left. */
  private waits: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: EarlyParts) {
    this.candidates = new EarlyCandidates(parts);
    this.early = { launching: this.launching, signal: AbortSignal.any([parts.context.halt, this.stopped.signal]) };
    setMaxListeners(0, this.early.signal);
  }

  /** Whether the service became "launching" before its level. */
  isLaunching(service: Service): boolean {
    return this.launching.has(service);
  }

  /** A level begins: ends the early launches of these services, whose machines will be replaced. */
  async begin(level: number, replaced: readonly Service[]): Promise<void> {
    this.candidates.level = level;
    await Promise.all(replaced.map((service) => this.settle(service)));
  }

  /**
   * Launches the machines of a level, then those of later levels.
   * @returns the result per service; the promises never reject
   */
  launch(services: readonly Service[]): Map<Service, Promise<LaunchResult>> {
    const launches = new Map<Service, Promise<LaunchResult>>();
    const { timetable, assignments } = this.parts;
    timetable?.levelBegan(
      this.candidates.level,
      new Set(services.filter((service) => !this.pending.has(service) && assignments.machine(service) === null)),
    );
    for (const [cloud, group] of groupByCloud(services)) {
      const pending = group.filter((service) => this.pending.has(service));
      const fresh = group.filter((service) => !this.pending.has(service));
      const batches = [
        ...(fresh.length > 0 ? [this.parts.machines.launch(cloud, fresh)] : []),
        ...(pending.length > 0 ? [this.adopt(cloud, pending)] : []),
      ];
      for (const batch of batches) for (const [service, launch] of batch.launches) launches.set(service, launch);
      this.turns.set(cloud, Promise.all([this.turns.get(cloud), ...batches.map((batch) => this.stopIfFailed(batch))]));
    }
    const { next } = timetable?.update() ?? { next: null };
    for (const group of this.candidates.ofLaterLevels()) this.queue(group);
    if (timetable !== null && next !== null) this.waits = Promise.all([this.waits, this.queueWhenDue(timetable, next)]);
    return launches;
  }

  /** Attributes of a service are final for this command; `names` null: all of them. */
  settled(service: Service, names: readonly string[] | null): void {
    if (names === null) this.parts.timetable?.serviceReady(service);
    for (const group of this.candidates.freedBy(service, names)) this.queue(group);
  }

  /** A service has failed, so the run will fail: nothing more is launched early. */
  stop(): void {
    this.stopped.abort();
  }

  /** The level fails without a machine. The next requests wait for this: they must not go out in between. */
  private async stopIfFailed({ answered, failed }: Pick<Batch, "answered" | "failed">): Promise<void> {
    await answered;
    if (await failed) this.stop();
  }

  /** Ends all launches. @returns services of levels that never began, with machines on which nothing has run */
  async unused(): Promise<Service[]> {
    this.stop();
    await this.waits;
    await Promise.all([...this.turns.values()]);
    await Promise.all([...this.pending.keys()].map((service) => this.settle(service)));
    return this.candidates.unused();
  }

  /**
   * Queues machines when they are due, until the level ends: the next level's own requests go first, and its start
   * changes the forecast.
   */
  private async queueWhenDue(timetable: Timetable, first: number): Promise<void> {
    const { clock } = this.parts.context;
    const { level } = this.candidates;
    try {
      for (let next: number | null = first; next !== null;) {
        await pause(clock, Math.min(RECHECK_MS, next - clock.now()), this.early.signal);
        if (level !== this.candidates.level) return;
        const update = timetable.update();
        if (update.more) for (const group of this.candidates.ofLaterLevels()) this.queue(group);
        next = update.next;
      }
    } catch (error) {
      // All levels are done, or the command ends early.
      if (!isInterruptedError(error)) throw error;
    }
  }

  private queue(services: readonly Service[]): void {
    for (const [cloud, group] of groupByCloud(services)) {
      this.turns.set(
        cloud,
        Promise.resolve(this.turns.get(cloud)).then(() => this.request(cloud, group)),
      );
    }
  }

  private async request(cloud: string, group: readonly Service[]): Promise<void> {
    const services = group.filter((service) => this.candidates.isOpen(service));
    if (this.early.signal.aborted || services.length === 0) return;
    const { answered, launches } = this.parts.machines.launch(cloud, services, this.early);
    for (const [service, launch] of launches)
      this.pending.set(service, { answered, done: this.watch(service, launch) });
    await answered;
  }

  private async watch(service: Service, launch: Promise<LaunchResult>): Promise<void> {
    const ended = await launch;
    if (!("error" in ended)) return;
    try {
      await this.fail(service, ended.error);
    } catch {
      // The record accepts no more writes. It contains the launch intent, and the next writer reports the error.
    }
  }

  /** An existing machine waits for its level whatever failed. A service without a machine becomes "planned" again. */
  private async fail(service: Service, error: Error): Promise<void> {
    const { context, assignments } = this.parts;
    const back =
      this.launching.has(service) && assignments.machine(service) === null && !this.candidates.hasBegun(service);
    const silent = isInterruptedError(error) || this.early.signal.aborted;
    const warnings = silent
      ? []
      : [
          warning(
            context,
            service,
            `its machine could not be started early; the launch is retried when its level begins: ${error.message}`,
          ),
        ];
    if (back) this.launching.delete(service);
    if (back || warnings.length > 0)
      await change(context, back ? [{ kind: "service", id: service.id, state: "planned" }] : [], [
        ...warnings,
        ...(back ? [stateEvent(context, service, "planned")] : []),
      ]);
  }

  /** Ends the early part of a launch. */
  private async settle(service: Service): Promise<void> {
    const launch = this.pending.get(service);
    if (launch === undefined) return;
    await launch.answered;
    this.parts.machines.forget(service);
    await launch.done;
    this.pending.delete(service);
  }

  /**
   * Continues early launches in their level: checks existing machines again, since they may be gone, and requests the
   * missing ones.
   */
  private adopt(cloud: string, services: readonly Service[]): Batch {
    const batch = this.relaunch(cloud, services);
    const launches = new Map(
      services.map((service) => [
        service,
        batch.then(({ launches }) => launches.get(service) as Promise<LaunchResult>),
      ]),
    );
    return { answered: batch.then(({ answered }) => answered), failed: batch.then(({ failed }) => failed), launches };
  }

  private async relaunch(cloud: string, services: readonly Service[]): Promise<Batch> {
    await Promise.all(services.map((service) => this.settle(service)));
    return this.parts.machines.launch(cloud, services);
  }
}
