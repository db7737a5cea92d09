/**
 * Launches machines: one call per cloud. Each launch intent is recorded before the call, and the machine's id before
 * anything waits for it.
 */
import type {
  DiedMachine,
  Driver,
  LaunchOutcome,
  LaunchRequest,
  MachineStatus,
} from "../../drivers/contract/driver.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { Change } from "../../state/contract/changes.js";
import { change, stateEvent, writerOf } from "../run/journal.js";
import { launchedChange } from "../run/launchedMachine.js";
import { groupBy } from "../run/lists.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { isGone } from "../clouds/isGone.js";

/** Options for launches before their level. */
export interface EarlyLaunch {
  /** Services whose launch is requested become "launching" and are added here. */
  readonly launching: Set<Service>;
  /** Aborted when the machines will not be used: no more requests are sent. */
  readonly signal: AbortSignal;
}

export interface LaunchOptions {
  /** Set for services whose level has not begun. */
  readonly early: EarlyLaunch | null;
  /** Machines of a service that ended before they could be used. */
  readonly died: (service: Service) => readonly DiedMachine[];
}

/**
 * Gets a machine for each service of one cloud, or the one that was requested earlier, and records what the cloud
 * reports.
 */
export async function getMachines(
  context: RunContext,
  assignments: MachineAssignments,
  cloud: string,
  services: readonly Service[],
  options: LaunchOptions,
): Promise<Map<Service, LaunchOutcome>> {
  const driver = await context.clouds.driver(cloud);
  const outcomes = await findMachines(context, assignments, driver, services);
  const missing = services.filter((service) => !outcomes.has(service));
  for (const [service, outcome] of await requestMachines(context, assignments, driver, {
    cloud,
    services: missing,
    ...options,
  }))
    outcomes.set(service, outcome);
  const launched = [...outcomes].flatMap(([service, outcome]) =>
    outcome.kind === "launched" ? [{ service, machine: outcome.machine }] : [],
  );
  await recordMachines(context, assignments, launched);
  return outcomes;
}

/** The cloud of a service with its own machine. */
export function cloudOf(service: Service): string {
  const { placement } = service.spec;
  if (placement.kind === "cloud") return placement.cloud;
  throw new Error(`${service.name} has no cloud`);
}

export function groupByCloud(services: readonly Service[]): Map<string, Service[]> {
  return groupBy(services, cloudOf);
}

/**
 * Existing machines of services. An earlier launcher requested them and may have died right after. Machines that are
 * gone are recorded as ended.
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
        reason: status.reason || `its state in the cloud is ${status.state}`,
      });
      assignments.ended(service);
    } else outcomes.set(service, { key: machine.key, kind: "launched", machine: status });
  }
  return outcomes;
}

interface RequestOptions extends LaunchOptions {
  readonly cloud: string;
  readonly services: readonly Service[];
}

async function requestMachines(
  context: RunContext,
  assignments: MachineAssignments,
  driver: Driver,
  { cloud, services, early, died }: RequestOptions,
): Promise<Map<Service, LaunchOutcome>> {
  const outcomes = new Map<Service, LaunchOutcome>();
  if (services.length === 0) return outcomes;
  const installation = await context.store.installation();
  const requested: { service: Service; request: LaunchRequest; intent: Change }[] = [];
  for (const service of services) {
    const intent = assignments.launchIntent(service);
    try {
      const request = { ...requestFor(context, assignments, service, intent.key, installation), died: died(service) };
      requested.push({ service, request, intent: { kind: "launch-intent", serviceId: service.id, cloud, ...intent } });
    } catch (error) {
      outcomes.set(service, { key: intent.key, kind: "failed", error: error as Error, leftover: null });
    }
  }
  await writeIntents(context, requested, early?.launching ?? null);
  for (const { service } of requested) assignments.recordIntent(service, cloud, assignments.launchIntent(service));
  const answers = new Map(
    (
      await driver.launch(
        requested.map(({ request }) => request),
        early?.signal ?? context.halt,
      )
    ).map((outcome) => [outcome.key, outcome]),
  );
  for (const { service, request } of requested) {
    const answer = answers.get(request.key);
    if (answer !== undefined) outcomes.set(service, answer);
  }
  return outcomes;
}

/**
 * Records launch intents. A service whose level has not begun becomes "launching" in the same write, so that nobody
 * takes it for one without a machine.
 */
async function writeIntents(
  context: RunContext,
  requested: readonly { service: Service; intent: Change }[],
  launching: Set<Service> | null,
): Promise<void> {
  const starting = launching === null ? [] : requested.map(({ service }) => service);
  const states = starting.map(({ id }): Change => ({ kind: "service", id, state: "launching" }));
  await change(
    context,
    [...requested.map(({ intent }) => intent), ...states],
    starting.map((service) => stateEvent(context, service, "launching")),
  );
  for (const service of starting) launching?.add(service);
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

/** Records what the cloud reported about machines, in one write, as far as it is new. */
async function recordMachines(
  context: RunContext,
  assignments: MachineAssignments,
  reported: readonly { service: Service; machine: MachineStatus }[],
): Promise<void> {
  const changes = reported.flatMap(({ service, machine }) => {
    const change = launchedChange(assignments, service, machine);
    return change === null ? [] : [{ service, machine, change }];
  });
  if (changes.length > 0) await writerOf(context).write(...changes.map(({ change }) => change));
  for (const { service, machine } of changes) assignments.launched(service, machine);
}

/** Records that a launch intent has no machine and never will. The next attempt uses a new intent. */
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
