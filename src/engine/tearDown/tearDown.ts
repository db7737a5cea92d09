/**
 * Takes services down, in the reverse order of bringing them up: terminate programs run before machines are destroyed.
 * Machines are destroyed with one call per cloud. A machine that may still exist is always reported.
 */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { Change } from "../../state/contract/changes.js";
import type { MachineRecord, StepRecord } from "../../state/contract/records.js";
import { hasMachine } from "../programs/runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import { serviceError } from "../run/failure.js";
import { change, stateEvent } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { Service } from "../run/service.js";
import { settleAll } from "../run/settleAll.js";
import type { Task } from "../tasks/agenda.js";
import { destroyMachines } from "./destroyMachines.js";
import { outcome } from "./serviceOutcome.js";
import { ServiceStops, type Stopping } from "./stopServices.js";
import { removeWorkDirectories, stagedFolders } from "./workDirectories.js";

/** After this many milliseconds without an answer from a machine, others are destroyed without waiting for it. */
const SILENT_MS = 3_000;

/** A machine that was destroyed, or given back. */
export interface EndedMachine {
  readonly service: string;
  readonly cloud: string;
  readonly id: string;
  /** It is a host of a pool: it still runs, and others may use it now. */
  readonly givenBack: boolean;
}

/** The reasons that `history` shows for a machine that was not destroyed. */
const GIVEN_BACK = "given back";
const NEVER_LAUNCHED = "the cloud never had it";

/** The state of a service after its machine is destroyed. */
type Ending = "terminated" | "removed" | "launching";

export class TakeDown {
  /** Machines that were destroyed or given back. A launch request that the cloud never granted is none. */
  readonly terminated: EndedMachine[] = [];
  private readonly stops: ServiceStops;

  /**
   * @param unfinished programs whose end is unknown, by service number.
   * @param force skip the terminate programs.
   * @param reports collect the services' reports before their machines are destroyed.
   * @param whole all services go, so a machine that services share goes too.
   */
  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
    unfinished: ReadonlyMap<number, readonly StepRecord[]>,
    force: boolean,
    reports = true,
    private readonly whole = false,
  ) {
    this.stops = new ServiceStops(context, assignments, unfinished, force, reports);
  }

  /**
   * Takes services down in parallel.
   * @returns the error of each service that was not taken down, or null, in order. It is recorded as the service's
   *   failure.
   */
  async end(services: readonly Service[], ending: "terminated" | "removed"): Promise<(Error | null)[]> {
    return this.stopAndDestroy(this.asDescribed(services), ending, () => true);
  }

  /**
   * Destroys machines that will be replaced. Other services on such a machine stop first; their failures do not keep
   * it.
   * @returns the error of each service whose machine was kept, or null, in order.
   */
  async retire(services: readonly Service[], taskOf: (service: Service) => Task): Promise<(Error | null)[]> {
    const answering = new Set(services.filter((service) => taskOf(service).stage === "replace"));
    const guests = this.context.levels
      .flat()
      .filter((service) => !answering.has(service) && answering.has(this.assignments.owner(service)));
    await this.stops.stop(guests.reverse(), () => true);
    const old = this.asDescribed(services);
    const answers = (service: Service) => answering.has(services[old.indexOf(service)] as Service);
    return this.stopAndDestroy(old, "launching", answers);
  }

  /**
   * Stops services and keeps their machines.
   * @returns the error of each service that did not stop, or null, in order.
   */
  async stopOnly(services: readonly Service[]): Promise<(Error | null)[]> {
    const ends = await this.stops.stop(this.asDescribed(services), () => true);
    const stopped = services.filter((_, place) => ends[place] === null);
    // Their terminate programs have run. A later terminate only destroys the machines.
    if (stopped.length > 0)
      await change(
        this.context,
        stopped.map(({ id }) => ({ kind: "unbooted", id })),
        [],
      );
    return ends;
  }

  /**
   * A changed plan describes the next machine. The old machine is taken down as the plan described it when it started.
   */
  private asDescribed(services: readonly Service[]): Service[] {
    return services.map((service) => this.context.former.get(service.id) ?? service);
  }

  /** Machines that do not answer hold up no others: those are destroyed, since they cost money, and then the rest. */
  private async stopAndDestroy(
    services: readonly Service[],
    ending: Ending,
    answers: (service: Service) => boolean,
  ): Promise<(Error | null)[]> {
    const stopping = await this.stops.begin(services, answers, (service) => this.dies(service));
    const silent = await this.silentOnes(stopping);
    const owners = new Set([...silent].map((service) => this.assignments.owner(service)));
    const isLate = ({ service }: Stopping): boolean => silent.has(service) || owners.has(service);
    const ends = new Map<Service, Error | null>();
    try {
      for (const batch of [stopping.filter((one) => !isLate(one)), stopping.filter(isLate)]) {
        const going = batch.map(({ service }) => service);
        const stopped = await settleAll(batch.map(({ ended }) => ended));
        const destroyed = await this.destroyRest(going, stopped, ending, answers);
        going.forEach((service, place) => ends.set(service, destroyed[place] ?? null));
      }
    } finally {
      // Nothing goes on after an error.
      await Promise.allSettled(stopping.map(({ ended }) => ended));
    }
    return services.map((service) => ends.get(service) ?? null);
  }

  /** The services whose machines have not answered after a while. */
  private async silentOnes(stopping: readonly Stopping[]): Promise<Set<Service>> {
    const over = new AbortController();
    const late = this.context.clock.sleep(SILENT_MS, over.signal).then(
      () => true,
      () => false,
    );
    const silent = new Set<Service>();
    await Promise.all(
      stopping.map(async ({ service, isReached }) => {
        if (await Promise.race([isReached.then(() => false), late])) silent.add(service);
      }),
    );
    over.abort();
    return silent;
  }

  /** Whether the service's machine is destroyed, with all that runs on it, and not given back. */
  private dies(service: Service): boolean {
    const { assignments } = this;
    const owner = assignments.owner(service);
    if (owner.spec.placement.kind !== "cloud" || (owner !== service && !this.whole)) return false;
    if (!hasMachine(assignments, owner)) return false;
    const access = assignments.access(owner);
    // A cloud that prepares a machine for its first contact has launched it.
    return access.kind === "driver" || access.firstContact !== undefined;
  }

  private async destroyRest(
    services: readonly Service[],
    stopped: readonly (Error | null)[],
    ending: Ending,
    answers: (service: Service) => boolean,
  ): Promise<(Error | null)[]> {
    if (services.length === 0) return [];
    const ends = new Map(services.map((service, place) => [service, stopped[place] ?? null]));
    const going = services.filter((service) => ends.get(service) === null);
    await this.letGo(
      going.filter((service) => hasMachine(this.assignments, service)),
      answers,
    );
    const destroyed = await this.destroy(going, ending);
    going.forEach((service, place) => ends.set(service, destroyed[place] ?? null));
    return [...ends.values()];
  }

  /**
   * Removes staged files from hosts that outlive the run, and closes connections. Only the owner of a machine holds a
   * connection; services that share the machine use the owner's.
   */
  private async letGo(services: readonly Service[], answers: (service: Service) => boolean): Promise<void> {
    const { context, assignments } = this;
    await removeWorkDirectories(
      context,
      assignments,
      await stagedFolders(
        context,
        services.filter((service) => answers(service) && !this.dies(service)),
      ),
    );
    await settleAll(
      services
        .filter((service) => service.spec.placement.kind === "cloud")
        .map((service) => assignments.release(service)),
    );
  }

  /** Destroys the machines of services with one call per cloud, then moves the services to the state in `ending`. */
  private async destroy(services: readonly Service[], ending: Ending): Promise<(Error | null)[]> {
    const { context, assignments } = this;
    const machines = new Map(
      services.flatMap((service) => {
        const machine = assignments.machine(service);
        return machine === null ? [] : [[service, machine] as const];
      }),
    );
    const { errors, ids } = await destroyMachines(context, [...machines.values()]);
    return settleAll(
      services.map((service) =>
        outcome(this.context, service, async () => {
          const machine = machines.get(service) ?? null;
          const error = machine === null ? undefined : errors.get(machine);
          if (error !== undefined)
            throw serviceError(
              service,
              "destroy",
              `its machine may still exist: ${error.message}`,
              { remedy: "run the command again" },
              error,
            );
          await this.enterEnd(
            service,
            machine === null ? null : { ...machine, driverId: ids.get(machine) ?? null },
            ending,
          );
        }),
      ),
    );
  }

  /** @param machine with the driver's id if the cloud had it */
  private async enterEnd(service: Service, machine: MachineRecord | null, ending: Ending): Promise<void> {
    const { context } = this;
    const state = ending === "removed" ? "terminated" : ending;
    const changes: Change[] = [
      { kind: "service", id: service.id, state },
      { kind: "unbooted", id: service.id },
      ending === "removed" ? { kind: "removed", id: service.id } : { kind: "due", id: service.id, due: null },
    ];
    if (ending === "launching") changes.push({ kind: "described", id: service.id });
    const event = stateEvent(context, service, state);
    if (machine === null) return change(context, changes, [event]);
    const { cloud, key, driverId: id } = machine;
    if (id === null) {
      await change(context, [{ kind: "ended", key, reason: NEVER_LAUNCHED }, ...changes], [event]);
      return this.assignments.ended(service);
    }
    const givenBack = (await context.clouds.driver(cloud)).lends === true;
    const reason = ending === "launching" ? "replaced" : givenBack && ending === "terminated" ? GIVEN_BACK : ending;
    const ended = { at: event.at, type: "machine-terminated", service: service.name, cloud, id } as const;
    await change(
      context,
      [{ kind: "ended", key, reason }, ...changes],
      [givenBack ? { ...ended, givenBack } : ended, event],
    );
    this.assignments.ended(service);
    this.terminated.push({ service: service.name, cloud, id, givenBack });
  }

  /** Records that an orphaned machine was destroyed: the record assigns it to no service. */
  async noteStray(cloud: string, { id, key, mark, hostname }: MachineStatus): Promise<void> {
    const service = mark?.service ?? hostname ?? id;
    const givenBack = (await this.context.clouds.driver(cloud)).lends === true;
    const reason = givenBack ? GIVEN_BACK : "terminated";
    await change(this.context, key === null ? [] : [{ kind: "ended", key, reason }], [
      {
        at: this.context.clock.now(),
        type: "machine-terminated",
        service,
        cloud,
        id,
        ...(givenBack && { givenBack }),
      },
    ]);
    this.terminated.push({ service, cloud, id, givenBack });
  }
}
