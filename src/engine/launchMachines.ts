/** Gets machines for the services of a level: one call a cloud, the wish on disk before the call, the machine's id before anything waits. */
import type { LaunchOutcome, LaunchRequest, MachineStatus } from "../drivers/driver.js";
import { DriverError } from "../drivers/driver.js";
import { resolveTree } from "../plan/resolve.js";
import { record, writerOf } from "./journal.js";
import { MachineWatch, type ReachableMachine } from "./machineWatch.js";
import type { RunContext, Service } from "./runContext.js";

/** How a launch ended for one service. */
export type Launch = { readonly machine: ReachableMachine } | { readonly error: Error };

/** The key that names a service's wish for a machine for ever. */
export function machineKey(context: RunContext, service: Service): string {
  return `${context.run.uid}.${service.name}.${service.generation}`;
}

/**
 * Launches a machine for each service; all must be placed on clouds.
 * @returns for each service how its launch ended, as soon as its machine has an address or failed; the promises never reject.
 */
export function launchMachines(context: RunContext, services: readonly Service[]): Map<Service, Promise<Launch>> {
  const launches = new Map<Service, Promise<Launch>>();
  for (const [cloud, group] of groupByCloud(services)) {
    const batch = launchBatch(context, cloud, group);
    for (const service of group) launches.set(service, settle(context, cloud, service, batch));
  }
  return launches;
}

/** The cloud of a service that has a machine of its own. */
export function cloudOf(service: Service): string {
  const { placement } = service.spec;
  if (placement.kind === "cloud") return placement.cloud;
  throw new Error(`${service.name} has no cloud`);
}

function groupByCloud(services: readonly Service[]): Map<string, Service[]> {
  const groups = new Map<string, Service[]>();
  for (const service of services) {
    const group = groups.get(cloudOf(service));
    if (group) group.push(service);
    else groups.set(cloudOf(service), [service]);
  }
  return groups;
}

interface Batch {
  readonly outcomes: ReadonlyMap<string, LaunchOutcome>;
  readonly watch: MachineWatch;
}

async function launchBatch(context: RunContext, cloud: string, services: readonly Service[]): Promise<Batch> {
  const driver = await context.clouds.driver(cloud);
  const installation = await context.store.installation();
  const outcomes = new Map<string, LaunchOutcome>();
  const requests: LaunchRequest[] = [];
  for (const service of services) {
    const key = machineKey(context, service);
    try {
      requests.push(requestFor(context, service, key, installation));
    } catch (error) {
      outcomes.set(key, { key, kind: "failed", error: error as Error, leftover: null });
    }
  }
  const asked = new Set(requests.map((request) => request.key));
  const wishes = services.filter((service) => asked.has(machineKey(context, service)));
  await writerOf(context).intendMachines(wishes.map((service) => ({ serviceId: service.id, cloud, key: machineKey(context, service), generation: service.generation })));
  for (const outcome of await driver.launch(requests, context.stop)) outcomes.set(outcome.key, outcome);
  return { outcomes, watch: new MachineWatch(driver, context.stop) };
}

function requestFor(context: RunContext, service: Service, key: string, installation: string): LaunchRequest {
  const { spec } = service;
  const { book, run } = context;
  return {
    key,
    mark: { installation, run: run.uid, runName: run.name, service: service.name },
    image: spec.image && book.resolve(spec.image, null),
    size: spec.size && book.resolve(spec.size, null),
    launch: resolveTree(spec.launch, (reference) => book.lookup(reference, null)),
  };
}

async function settle(context: RunContext, cloud: string, service: Service, batch: Promise<Batch>): Promise<Launch> {
  try {
    const key = machineKey(context, service);
    const { outcomes, watch } = await batch;
    const outcome = outcomes.get(key);
    if (outcome === undefined) throw new DriverError(`the driver of cloud "${cloud}" gave no answer for ${service.name}`);
    if (outcome.kind === "failed") {
      if (outcome.leftover === null) await writerOf(context).machineEnded(key, outcome.error.message);
      throw outcome.error;
    }
    await writeMachine(context, key, outcome.machine);
    const machine = await watch.reachable(outcome.machine);
    if (machine !== outcome.machine) await writeMachine(context, key, machine);
    await record(context, { at: Date.now(), type: "machine-launched", service: service.name, cloud, id: machine.id, host: machine.host });
    return { machine };
  } catch (error) {
    return { error: error as Error };
  }
}

async function writeMachine(context: RunContext, key: string, machine: MachineStatus): Promise<void> {
  const { id: driverId, host, privateHost, hostname } = machine;
  await writerOf(context).machineLaunched(key, { driverId, host, privateHost, hostname, access: machine.access && JSON.stringify(machine.access) });
}
