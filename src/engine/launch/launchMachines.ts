/**
 * Asks clouds for machines: one call a cloud, the wish on disk before the call, the machine's id before anything waits.
 */
import type { Driver, LaunchOutcome, LaunchRequest, MachineStatus } from "../../drivers/contract/driver.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { Change, LaunchedMachine } from "../../state/contract/changes.js";
import { change, stateEvent, writerOf } from "../run/journal.js";
import { groupBy } from "../run/lists.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { isGone } from "../clouds/isGone.js";

/** What a launch before its level goes by. */
export interface EarlyLaunch {
  /** Services that are asked for become "launching", and are added here. */
  readonly launching: Set<Service>;
  /** Aborted when the machines will not be used: nothing more is asked for then. */
  readonly signal: AbortSignal;
}

/**
 * Gets a machine for each service of one cloud, or the one that was asked for already. What the cloud tells is on
 * record then.
 * @param early for services whose level has not begun.
 */
export async function getMachines(
  context: RunContext,
  assignments: MachineAssignments,
  cloud: string,
  services: readonly Service[],
  early: EarlyLaunch | null,
): Promise<Map<Service, LaunchOutcome>> {
  const driver = await context.clouds.driver(cloud);
  const outcomes = await findMachines(context, assignments, driver, services);
  const missing = services.filter((service) => !outcomes.has(service));
  for (const [service, outcome] of await askForMachines(context, assignments, driver, {
    cloud,
    services: missing,
    early,
  }))
    outcomes.set(service, outcome);
  const launched = [...outcomes].flatMap(([service, outcome]) =>
    outcome.kind === "launched" ? [{ service, machine: outcome.machine }] : [],
  );
  await noteMachines(context, assignments, launched);
  return outcomes;
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
  return groupBy(services, cloudOf);
}

/**
 * Machines that services have already: an earlier launcher got them, and may have died at once. Those that are gone are
 * written off.
 */
async function findMachines(
  context: RunContext,
  assignments: MachineAssignments,
  driver: Driver,
  services: readonly Service[],
): Promise<Map<Service, LaunchOutcome>> {
  const outcomes = new Map<Service, LaunchOutcome>();
  const known = services.flatMap((service) => {
    const machine = assignments.machine(service);
    return machine === null || machine.driverId === null ? [] : [{ service, machine, id: machine.driverId }];
  });
  if (known.length === 0) return outcomes;
  const statuses = await driver.describe(
    known.map(({ id }) => id),
    context.halt,
  );
  for (const [index, { service, machine }] of known.entries()) {
    const status = statuses[index];
    if (status === undefined) continue;
    if (isGone(status, machine.launchedAt ?? machine.requestedAt, driver, context.clock.now())) {
      await writerOf(context).write({
        kind: "ended",
        key: machine.key,
        reason: status.reason || `the cloud calls it ${status.state}`,
      });
      assignments.ended(service);
    } else outcomes.set(service, { key: machine.key, kind: "launched", machine: status });
  }
  return outcomes;
}

interface Asking {
  readonly cloud: string;
  readonly services: readonly Service[];
  readonly early: EarlyLaunch | null;
}

async function askForMachines(
  context: RunContext,
  assignments: MachineAssignments,
  driver: Driver,
  { cloud, services, early }: Asking,
): Promise<Map<Service, LaunchOutcome>> {
  const outcomes = new Map<Service, LaunchOutcome>();
  if (services.length === 0) return outcomes;
  const installation = await context.store.installation();
  const asked: { service: Service; request: LaunchRequest; intent: Change }[] = [];
  for (const service of services) {
    const wish = assignments.launchIntent(service);
    try {
      const request = requestFor(context, assignments, service, wish.key, installation);
      asked.push({ service, request, intent: { kind: "launch-intent", serviceId: service.id, cloud, ...wish } });
    } catch (error) {
      outcomes.set(service, { key: wish.key, kind: "failed", error: error as Error, leftover: null });
    }
  }
  await writeIntents(context, asked, early?.launching ?? null);
  for (const { service } of asked) assignments.recordIntent(service, cloud, assignments.launchIntent(service));
  const answers = new Map(
    (
      await driver.launch(
        asked.map(({ request }) => request),
        early?.signal ?? context.halt,
      )
    ).map((outcome) => [outcome.key, outcome]),
  );
  for (const { service, request } of asked) {
    const answer = answers.get(request.key);
    if (answer !== undefined) outcomes.set(service, answer);
  }
  return outcomes;
}

/**
 * A service whose level has not begun becomes "launching" with its wish: whoever looks at the run later must not take
 * it for one without a machine.
 */
async function writeIntents(
  context: RunContext,
  asked: readonly { service: Service; intent: Change }[],
  launching: Set<Service> | null,
): Promise<void> {
  const told = launching === null ? [] : asked.map(({ service }) => service);
  const states = told.map(({ id }): Change => ({ kind: "service", id, state: "launching" }));
  await change(
    context,
    [...asked.map(({ intent }) => intent), ...states],
    told.map((service) => stateEvent(context, service, "launching")),
  );
  for (const service of told) launching?.add(service);
}

function requestFor(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  key: string,
  installation: string,
): LaunchRequest {
  const { spec } = service;
  const { attributes, run } = context;
  return {
    key,
    mark: { installation, run: run.uid, runName: run.name, service: service.name },
    replica: service.replica,
    image: spec.image && attributes.resolve(spec.image, null),
    size: spec.size && attributes.resolve(spec.size, null),
    fallbackSizes: spec.fallbackSizes.map((size) => attributes.resolve(size, null)),
    launch: resolveTree(spec.launch, (reference) => attributes.lookup(reference, null)),
    avoid: assignments.formerIds(service),
    contact: null,
  };
}

/** Writes down what a cloud told of machines, as far as the record does not say it, in one write. */
async function noteMachines(
  context: RunContext,
  assignments: MachineAssignments,
  told: readonly { service: Service; machine: MachineStatus }[],
): Promise<void> {
  const news = told.flatMap(({ service, machine }) => {
    const change = launchedChange(assignments, service, machine);
    return change === null ? [] : [{ service, machine, change }];
  });
  if (news.length > 0) await writerOf(context).write(...news.map(({ change }) => change));
  for (const { service, machine } of news) assignments.launched(service, machine);
}

/** What the record does not say yet of a service's machine; null when it says all. */
export function launchedChange(
  assignments: MachineAssignments,
  service: Service,
  status: MachineStatus,
): Change | null {
  const known = assignments.machine(service);
  // A cloud that does not show a young machine yet takes back nothing of what it has told.
  if (known === null || (known.driverId !== null && status.state === "unknown")) return null;
  const machine = launchedMachine(status);
  const same =
    known.state === "running" &&
    (Object.keys(machine) as (keyof LaunchedMachine)[]).every((name) => known[name] === machine[name]);
  return same ? null : { kind: "launched", key: known.key, machine };
}

/** The wish has no machine, and never will: the next attempt is a new wish. */
export async function recordEnded(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  key: string,
  reason: string,
): Promise<void> {
  await writerOf(context).write({ kind: "ended", key, reason: context.redactor.redact(reason) });
  assignments.ended(service);
}
