/**
 * Tracks launches from the launch intent to the machine's address. Levels and early launches of one command share it.
 */
import { DriverError, type DiedMachine, type LaunchOutcome } from "../../drivers/contract/driver.js";
import { InterruptedError } from "../run/failure.js";
import { change, warning } from "../run/journal.js";
import { launchedChange } from "../run/launchedMachine.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { cloudOf, getMachines, recordEnded, type EarlyLaunch } from "./launchMachines.js";
import { isMachineDiedError, type MachineDiedError } from "./machineDied.js";
import { MachineWatch } from "./machineWatch.js";
import type { ReachableMachine } from "../run/launchedMachine.js";
import type { Service } from "../run/service.js";

/** How many machines a command launches for one service, if they end before anybody could use them. */
const MOST_LAUNCHES = 3;

/** How a launch ended for one service. */
export type LaunchResult = { readonly machine: ReachableMachine } | { readonly error: Error };

/** Launches that go to a cloud in one call. */
export interface Batch {
  /** Resolves when the cloud has answered, successfully or not. */
  readonly answered: Promise<void>;
  /** Whether the cloud refused a machine, or could not be asked. Never rejects. */
  readonly failed: Promise<boolean>;
  /** The result per service, as soon as its machine has an address or has failed. The promises never reject. */
  readonly launches: ReadonlyMap<Service, Promise<LaunchResult>>;
}

export class MachineLaunches {
  private readonly watches = new Map<string, MachineWatch>();
  /** Keys of machines whose launch was reported as an event. */
  private readonly reported = new Set<string>();
  /** Machines that ended before they could be used, by service number. */
  private readonly died = new Map<number, DiedMachine[]>();

  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
  ) {}

  /**
   * Gets a machine for each service of a cloud, or the one that was requested earlier.
   * @param early set for services whose level has not begun
   */
  launch(cloud: string, services: readonly Service[], early: EarlyLaunch | null = null): Batch {
    const outcomes = this.getMachines(cloud, services, early);
    const launches = new Map(services.map((service) => [service, this.settle(cloud, service, outcomes, early)]));
    return {
      answered: outcomes.then(
        () => undefined,
        () => undefined,
      ),
      failed: outcomes.then(
        (all) => [...all.values()].some(({ kind }) => kind === "failed"),
        () => true,
      ),
      launches,
    };
  }

  /**
   * Waits for work with the service's machine, which has not let anybody in yet.
   * @throws what the work throws; MachineDiedError as soon as the cloud says that the machine has ended, which is
   *   recorded then
   */
  async whileItLives<T>(service: Service, work: Promise<T>): Promise<T> {
    const machine = this.assignments.machine(service);
    if (machine === null || machine.driverId === null || machine.metAt !== null) return work;
    const { cloud, key, driverId } = machine;
    const watch = await this.watch(cloud);
    const since = machine.launchedAt ?? machine.requestedAt;
    const ended = watch.ends(driverId, since, async (reason) => {
      await this.assignments.release(service);
      await recordEnded(this.context, this.assignments, service, key, reason);
    });
    // Whoever loses the race is not waited for.
    ended.catch(() => undefined);
    // A machine that turns the launcher away may have ended just now.
    const tried = work.catch(async (error: unknown) => {
      if (!this.context.halt.aborted) await ((await watch.isOver(driverId)) ? ended : undefined);
      throw error;
    });
    tried.catch(() => undefined);
    return Promise.race([tried, ended]).finally(() => {
      watch.forget(driverId);
    });
  }

  /**
   * Launches another machine for a service whose machine ended before it could be used.
   * @returns null if that has happened too often in this command, or nothing may be launched any more
   */
  async again(
    service: Service,
    { machine, message }: MachineDiedError,
  ): Promise<{ readonly launch: Promise<LaunchResult> } | null> {
    const died = [...(this.died.get(service.id) ?? []), machine];
    this.died.set(service.id, died);
    if (died.length >= MOST_LAUNCHES || this.context.halt.aborted) return null;
    const words = `${message}; launching another one (${died.length + 1} of at most ${MOST_LAUNCHES})`;
    await change(this.context, [], [warning(this.context, service, words)]);
    if (this.context.halt.aborted) return null;
    const cloud = cloudOf(service);
    return { launch: this.settle(cloud, service, this.getMachines(cloud, [service], null), null) };
  }

  /** Stops waiting for the address of the service's machine. */
  forget(service: Service): void {
    const machine = this.assignments.machine(service);
    if (machine !== null && machine.driverId !== null) this.watches.get(machine.cloud)?.forget(machine.driverId);
  }

  private getMachines(
    cloud: string,
    services: readonly Service[],
    early: EarlyLaunch | null,
  ): Promise<Map<Service, LaunchOutcome>> {
    const died = ({ id }: Service): readonly DiedMachine[] => this.died.get(id) ?? [];
    return getMachines(this.context, this.assignments, cloud, services, { early, died });
  }

  private async settle(
    cloud: string,
    service: Service,
    outcomes: Promise<ReadonlyMap<Service, LaunchOutcome>>,
    early: EarlyLaunch | null,
  ): Promise<LaunchResult> {
    try {
      const outcome = (await outcomes).get(service);
      if (outcome === undefined)
        throw new DriverError(`the driver of cloud "${cloud}" returned no outcome for ${service.name}`);
      if (outcome.kind === "failed") {
        if (outcome.leftover === null)
          await recordEnded(this.context, this.assignments, service, outcome.key, outcome.error.message);
        throw outcome.error;
      }
      return { machine: await this.reach(cloud, service, outcome) };
    } catch (error) {
      // A launch ahead of its level is made again when the level begins.
      if (!isMachineDiedError(error) || early !== null) return { error: error as Error };
      const again = await this.again(service, error);
      if (again !== null) return again.launch;
      return { error: this.context.halt.aborted ? new InterruptedError() : error };
    }
  }

  private async reach(
    cloud: string,
    service: Service,
    { key, machine: launched }: LaunchOutcome & { kind: "launched" },
  ): Promise<ReachableMachine> {
    const { context, assignments } = this;
    const watch = await this.watch(cloud);
    const since = assignments.machine(service)?.launchedAt ?? context.clock.now();
    const machine = await watch.reachable(launched, since, async (reason) =>
      recordEnded(context, assignments, service, key, reason),
    );
    const recordChange = launchedChange(assignments, service, machine);
    const wasReported = this.reported.has(key);
    this.reported.add(key);
    const event = {
      at: context.clock.now(),
      type: "machine-launched",
      service: service.name,
      cloud,
      id: machine.id,
      host: machine.host,
    } as const;
    if (recordChange !== null || !wasReported)
      await change(context, recordChange === null ? [] : [recordChange], wasReported ? [] : [event]);
    if (recordChange !== null) assignments.launched(service, machine);
    return machine;
  }

  /** One watch per cloud for the whole command, so that one query covers all waiting machines. */
  private async watch(cloud: string): Promise<MachineWatch> {
    const driver = await this.context.clouds.driver(cloud);
    const known = this.watches.get(cloud) ?? new MachineWatch(driver, this.context.clock, this.context.halt);
    this.watches.set(cloud, known);
    return known;
  }
}
