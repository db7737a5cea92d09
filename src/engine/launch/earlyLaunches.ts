/**
 * Machines of levels that have not begun: asked for while earlier levels still boot, since only programs wait for their
 * level. A level's own calls go out before those for later ones. Nothing that goes wrong here fails the level that
 * boots: it is told, and tried again when the machine's own level begins.
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

/** A launch that was begun before its level. */
interface Flight {
  readonly answered: Promise<void>;
  /** Resolves when nothing of it goes on any more. */
  readonly done: Promise<void>;
}

export interface EarlyParts {
  readonly context: RunContext;
  readonly assignments: MachineAssignments;
  readonly agenda: Agenda;
  readonly machines: MachineLaunches;
  /** Null unless machines are to be there just in time. */
  readonly timetable: Timetable | null;
}

/** How often it is looked whether levels come sooner or later than was thought, in milliseconds. */
const LOOK_MS = 5_000;

export class EarlyLaunches {
  private readonly candidates: EarlyCandidates;
  /** By cloud: when its turn has come to be asked for machines of a later level. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly flights = new Map<Service, Flight>();
  /** Services that are "launching" on the record since before their level. */
  private readonly launching = new Set<Service>();
  /** Aborted when nothing more is to be asked for. */
  private readonly over = new AbortController();
  private readonly early: EarlyLaunch;
  /** Resolves when nobody waits for a moment any more. */
  private waits: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: EarlyParts) {
    this.candidates = new EarlyCandidates(parts);
    this.early = { launching: this.launching, signal: AbortSignal.any([parts.context.halt, this.over.signal]) };
    setMaxListeners(0, this.early.signal);
  }

  /** Whether the record says of the service that it is launching, from before its level. */
  isLaunching(service: Service): boolean {
    return this.launching.has(service);
  }

  /**
   * A level begins: early launches of these services of it, whose machines are to be replaced, come to an end first.
   */
  async begin(level: number, replaced: readonly Service[]): Promise<void> {
    this.candidates.level = level;
    await Promise.all(replaced.map((service) => this.settle(service)));
  }

  /**
   * Launches what a level needs, then what later levels need.
   * @returns for each service how its launch ended; the promises never reject.
   */
  launch(services: readonly Service[]): Map<Service, Promise<LaunchResult>> {
    const launches = new Map<Service, Promise<LaunchResult>>();
    const { timetable, assignments } = this.parts;
    timetable?.begun(
      this.candidates.level,
      new Set(services.filter((service) => !this.flights.has(service) && assignments.machine(service) === null)),
    );
    for (const [cloud, group] of groupByCloud(services)) {
      const flown = group.filter((service) => this.flights.has(service));
      const fresh = group.filter((service) => !this.flights.has(service));
      const batches = [
        ...(fresh.length > 0 ? [this.parts.machines.launch(cloud, fresh)] : []),
        ...(flown.length > 0 ? [this.adopt(cloud, flown)] : []),
      ];
      for (const batch of batches) for (const [service, launch] of batch.launches) launches.set(service, launch);
      this.turns.set(cloud, Promise.all([this.turns.get(cloud), ...batches.map(({ answered }) => answered)]));
    }
    const { next } = timetable?.look() ?? { next: null };
    for (const group of this.candidates.ofLaterLevels()) this.queue(group);
    if (timetable !== null && next !== null) this.waits = Promise.all([this.waits, this.keepTime(timetable, next)]);
    return launches;
  }

  /** Attributes of a service have the values that they keep for this command; without names, all of them have. */
  settled(service: Service, names: readonly string[] | null): void {
    if (names === null) this.parts.timetable?.done(service);
    for (const group of this.candidates.freedBy(service, names)) this.queue(group);
  }

  /** A service has failed: the run will, and nothing more is asked for early. */
  stop(): void {
    this.over.abort();
  }

  /** Ends all that goes on. @returns services of levels that never began, with machines on which nothing ever ran */
  async unused(): Promise<Service[]> {
    this.stop();
    await this.waits;
    await Promise.all([...this.turns.values()]);
    await Promise.all([...this.flights.keys()].map((service) => this.settle(service)));
    return this.candidates.unused();
  }

  /**
   * Queues machines as their moments come, until the level ends: the next one's own calls go first, and it changes what
   * is expected.
   */
  private async keepTime(timetable: Timetable, first: number): Promise<void> {
    const { clock } = this.parts.context;
    const { level } = this.candidates;
    try {
      for (let next: number | null = first; next !== null;) {
        await pause(clock, Math.min(LOOK_MS, next - clock.now()), this.early.signal);
        if (level !== this.candidates.level) return;
        const look = timetable.look();
        if (look.more) for (const group of this.candidates.ofLaterLevels()) this.queue(group);
        next = look.next;
      }
    } catch (error) {
      // The command's levels are through, or come to nothing.
      if (!isInterruptedError(error)) throw error;
    }
  }

  private queue(services: readonly Service[]): void {
    for (const [cloud, group] of groupByCloud(services)) {
      this.turns.set(
        cloud,
        Promise.resolve(this.turns.get(cloud)).then(() => this.ask(cloud, group)),
      );
    }
  }

  private async ask(cloud: string, group: readonly Service[]): Promise<void> {
    const services = group.filter((service) => this.candidates.isOpen(service));
    if (this.early.signal.aborted || services.length === 0) return;
    const { answered, launches } = this.parts.machines.launch(cloud, services, this.early);
    for (const [service, launch] of launches)
      this.flights.set(service, { answered, done: this.watch(service, launch) });
    await answered;
  }

  private async watch(service: Service, launch: Promise<LaunchResult>): Promise<void> {
    const ended = await launch;
    if (!("error" in ended)) return;
    try {
      await this.fail(service, ended.error);
    } catch {
      // The record refuses more. What is there names the wish, and whoever writes next meets the error where it
      // matters.
    }
  }

  /**
   * A machine that is there waits for its level with whatever is wrong; without one the service waits as it did before.
   */
  private async fail(service: Service, error: Error): Promise<void> {
    const { context, assignments } = this.parts;
    const back =
      this.launching.has(service) && assignments.machine(service) === null && !this.candidates.hasBegun(service);
    const silent = isInterruptedError(error) || this.early.signal.aborted;
    const told = silent
      ? []
      : [
          warning(
            context,
            service,
            `its machine could not be started early, and is asked for again when its level begins: ${error.message}`,
          ),
        ];
    if (back) this.launching.delete(service);
    if (back || told.length > 0)
      await change(context, back ? [{ kind: "service", id: service.id, state: "planned" }] : [], [
        ...told,
        ...(back ? [stateEvent(context, service, "planned")] : []),
      ]);
  }

  /** Ends the early part of a launch. */
  private async settle(service: Service): Promise<void> {
    const flight = this.flights.get(service);
    if (flight === undefined) return;
    await flight.answered;
    this.parts.machines.forget(service);
    await flight.done;
    this.flights.delete(service);
  }

  /**
   * Goes on with early launches: machines that are there are asked for once more, since they may be gone; others are
   * wished for anew.
   */
  private adopt(cloud: string, services: readonly Service[]): Batch {
    const batch = this.inOne(cloud, services);
    const launches = new Map(
      services.map((service) => [
        service,
        batch.then(({ launches: begun }) => begun.get(service) as Promise<LaunchResult>),
      ]),
    );
    return { answered: batch.then(({ answered }) => answered), launches };
  }

  private async inOne(cloud: string, services: readonly Service[]): Promise<Batch> {
    await Promise.all(services.map((service) => this.settle(service)));
    return this.parts.machines.launch(cloud, services);
  }
}
