/**
 * Tracks launches from the launch intent to the machine's address. Levels and early launches of one command share it.
 */
import { DriverError, type LaunchOutcome } from "../../drivers/contract/driver.js";
import { change } from "../run/journal.js";
import { launchedChange } from "../run/launchedMachine.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { getMachines, recordEnded, type EarlyLaunch } from "./launchMachines.js";
import { MachineWatch } from "./machineWatch.js";
import type { ReachableMachine } from "../run/launchedMachine.js";
import type { Service } from "../run/service.js";

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

  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
  ) {}

  /**
   * Gets a machine for each service of a cloud, or the one that was requested earlier.
   * @param early set for services whose level has not begun
   */
  launch(cloud: string, services: readonly Service[], early: EarlyLaunch | null = null): Batch {
    const outcomes = getMachines(this.context, this.assignments, cloud, services, early);
    const launches = new Map(services.map((service) => [service, this.settle(cloud, service, outcomes)]));
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

  /** Stops waiting for the address of the service's machine. */
  forget(service: Service): void {
    const machine = this.assignments.machine(service);
    if (machine !== null && machine.driverId !== null) this.watches.get(machine.cloud)?.forget(machine.driverId);
  }

  private async settle(
    cloud: string,
    service: Service,
    outcomes: Promise<ReadonlyMap<Service, LaunchOutcome>>,
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
      return { error: error as Error };
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
