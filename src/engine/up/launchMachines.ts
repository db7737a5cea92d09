/** Gets machines for the services of a level: one call a cloud, the wish on disk before the call, the machine's id before anything waits. */
import type { Driver, LaunchOutcome, LaunchRequest, MachineStatus } from "../../drivers/driver.js";
import { DriverError } from "../../drivers/driver.js";
import { resolveTree } from "../../plan/resolve.js";
import type { Change, LaunchedMachine } from "../../state/changes.js";
import { change, writerOf } from "../run/journal.js";
import { isGone, MachineWatch, type ReachableMachine } from "./machineWatch.js";
import type { Placements } from "../run/placements.js";
import type { RunContext, Service } from "../run/runContext.js";

/** How a launch ended for one service. */
export type Launch = { readonly machine: ReachableMachine } | { readonly error: Error };

/**
 * Gets a machine for each service, or the one that was asked for already; all must be placed on clouds.
 * @returns for each service how its launch ended, as soon as its machine has an address or failed; the promises never reject.
 */
export function launchMachines(context: RunContext, placements: Placements, services: readonly Service[]): Map<Service, Promise<Launch>> {
  const launches = new Map<Service, Promise<Launch>>();
  for (const [cloud, group] of groupByCloud(services)) {
    const batch = launchBatch(context, placements, cloud, group);
    for (const service of group) launches.set(service, settle(context, placements, cloud, service, batch));
  }
  return launches;
}

/** The cloud of a service that has a machine of its own. */
export function cloudOf(service: Service): string {
  const { placement } = service.spec;
  if (placement.kind === "cloud") return placement.cloud;
  throw new Error(`${service.name} has no cloud`);
}

/** What the record keeps of a machine. */
export function launchedMachine({ id: driverId, host, privateHost, hostname, access }: MachineStatus): LaunchedMachine {
  return { driverId, host, privateHost, hostname, access: access && JSON.stringify(access) };
}

export function groupByCloud(services: readonly Service[]): Map<string, Service[]> {
  const groups = new Map<string, Service[]>();
  for (const service of services) {
    const group = groups.get(cloudOf(service));
    if (group) group.push(service);
    else groups.set(cloudOf(service), [service]);
  }
  return groups;
}

interface Batch {
  readonly outcomes: ReadonlyMap<Service, LaunchOutcome>;
  readonly watch: MachineWatch;
}

async function launchBatch(context: RunContext, placements: Placements, cloud: string, services: readonly Service[]): Promise<Batch> {
  const driver = await context.clouds.driver(cloud);
  const outcomes = await findMachines(context, placements, driver, services);
  const missing = services.filter((service) => !outcomes.has(service));
  for (const [service, outcome] of await askForMachines(context, placements, driver, cloud, missing)) outcomes.set(service, outcome);
  return { outcomes, watch: new MachineWatch(driver, context.clock, context.stop) };
}

/** Machines that services have already: an earlier launcher got them, and may have died at once. Those that are gone are written off. */
async function findMachines(context: RunContext, placements: Placements, driver: Driver, services: readonly Service[]): Promise<Map<Service, LaunchOutcome>> {
  const outcomes = new Map<Service, LaunchOutcome>();
  const known = services.flatMap((service) => {
    const machine = placements.machine(service);
    return machine === null || machine.driverId === null ? [] : [{ service, machine, id: machine.driverId }];
  });
  if (known.length === 0) return outcomes;
  const statuses = await driver.describe(known.map(({ id }) => id), context.stop);
  for (const [index, { service, machine }] of known.entries()) {
    const status = statuses[index];
    if (status === undefined) continue;
    if (isGone(status, machine.launchedAt ?? machine.requestedAt, driver, context.clock.now())) {
      await writerOf(context).write({ kind: "ended", key: machine.key, reason: status.reason || `the cloud calls it ${status.state}` });
      placements.ended(service);
    } else outcomes.set(service, { key: machine.key, kind: "launched", machine: status });
  }
  return outcomes;
}

async function askForMachines(context: RunContext, placements: Placements, driver: Driver, cloud: string, services: readonly Service[]): Promise<Map<Service, LaunchOutcome>> {
  const outcomes = new Map<Service, LaunchOutcome>();
  if (services.length === 0) return outcomes;
  const installation = await context.store.installation();
  const asked: { service: Service; request: LaunchRequest; intent: Change }[] = [];
  for (const service of services) {
    const wish = placements.wish(service);
    try {
      const request = requestFor(context, placements, service, wish.key, installation);
      asked.push({ service, request, intent: { kind: "intent", serviceId: service.id, cloud, ...wish } });
    } catch (error) {
      outcomes.set(service, { key: wish.key, kind: "failed", error: error as Error, leftover: null });
    }
  }
  await writerOf(context).write(...asked.map(({ intent }) => intent));
  for (const { service } of asked) placements.intend(service, cloud, placements.wish(service));
  const answers = new Map((await driver.launch(asked.map(({ request }) => request), context.stop)).map((outcome) => [outcome.key, outcome]));
  for (const { service, request } of asked) {
    const answer = answers.get(request.key);
    if (answer !== undefined) outcomes.set(service, answer);
  }
  return outcomes;
}

function requestFor(context: RunContext, placements: Placements, service: Service, key: string, installation: string): LaunchRequest {
  const { spec } = service;
  const { book, run } = context;
  return {
    key,
    mark: { installation, run: run.uid, runName: run.name, service: service.name },
    replica: service.replica,
    image: spec.image && book.resolve(spec.image, null),
    size: spec.size && book.resolve(spec.size, null),
    fallbackSizes: (spec.fallbackSizes ?? []).map((size) => book.resolve(size, null)),
    launch: resolveTree(spec.launch, (reference) => book.lookup(reference, null)),
    avoid: placements.formerIds(service),
    contact: null,
  };
}

async function settle(context: RunContext, placements: Placements, cloud: string, service: Service, batch: Promise<Batch>): Promise<Launch> {
  try {
    const { outcomes, watch } = await batch;
    const outcome = outcomes.get(service);
    if (outcome === undefined) throw new DriverError(`the driver of cloud "${cloud}" gave no answer for ${service.name}`);
    if (outcome.kind === "failed") {
      if (outcome.leftover === null) await writeOff(context, placements, service, outcome.key, outcome.error.message);
      throw outcome.error;
    }
    return { machine: await reach(context, placements, cloud, service, outcome, watch) };
  } catch (error) {
    return { error: error as Error };
  }
}

async function reach(context: RunContext, placements: Placements, cloud: string, service: Service, { key, machine: launched }: LaunchOutcome & { kind: "launched" }, watch: MachineWatch): Promise<ReachableMachine> {
  const note = async (machine: MachineStatus): Promise<void> => {
    await writerOf(context).write({ kind: "launched", key, machine: launchedMachine(machine) });
    placements.launched(service, machine);
  };
  await note(launched);
  const machine = await watch.reachable(launched, placements.machine(service)?.launchedAt ?? context.clock.now(), async (reason) => writeOff(context, placements, service, key, reason));
  if (machine !== launched) await note(machine);
  await change(context, [], [{ at: context.clock.now(), type: "machine-launched", service: service.name, cloud, id: machine.id, host: machine.host }]);
  return machine;
}

/** The wish has no machine, and never will: the next attempt is a new wish. */
async function writeOff(context: RunContext, placements: Placements, service: Service, key: string, reason: string): Promise<void> {
  await writerOf(context).write({ kind: "ended", key, reason: context.redactor.redact(reason) });
  placements.ended(service);
}
