/** Publishes a service's attributes, and adds tasks for services that refer to changed ones. */
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue } from "../../state/contract/records.js";
import { dueStage, type Task } from "../tasks/agenda.js";
import { newlySecret, withSecrecy } from "../run/secrecy.js";
import { countedAttributes, isCounted } from "../attributes/countedAttributes.js";
import type { Dependency } from "../attributes/dependents.js";
import { writerOf } from "../run/journal.js";
import { cloudOf } from "../launch/launchMachines.js";
import type { ReachableMachine } from "../run/launchedMachine.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/** What is needed to publish: where changed values add tasks, and who is told. */
export type Publishing = Pick<BringUp, "context" | "assignments" | "agenda" | "dependencies" | "fresh"> & {
  readonly early: Pick<BringUp["early"], "settled">;
};

/**
 * Publishes attributes. They are recorded first, together with `also` and with the tasks that changed values cause for
 * other services. Then references resolve to them. Called once per command for each attribute.
 */
export async function publish(
  work: Publishing,
  service: Service,
  values: readonly AttributeValue[],
  also: readonly Change[] = [],
): Promise<void> {
  const { context } = work;
  const attributes = withSecrecy(context, values);
  const own = context.attributes.of(service.name);
  const changed = attributes.filter(
    ({ name, value, secret }) => own.get(name)?.value !== value || own.get(name)?.secret !== secret,
  );
  // An unchanged value affects no other service, but it is no longer stale, or set by another step.
  const written = attributes.filter(
    (attribute) =>
      changed.includes(attribute) ||
      own.get(attribute.name)?.stale === true ||
      (own.get(attribute.name)?.step ?? null) !== (attribute.step ?? null),
  );
  if (attributes.some(({ secret }) => secret))
    written.push(
      ...newlySecret(context, context.current(service)).filter(
        ({ name }) => !attributes.some((attribute) => attribute.name === name),
      ),
    );
  const tasks = affected(work, service, new Set(changed.map(({ name }) => name)));
  const dues = tasks.map(([{ id }, task]): Change => ({
    kind: "due",
    id,
    due: { stage: dueStage(task) ?? "boot", reason: task.reason },
  }));
  const writes: Change[] = [
    ...written.filter(({ name }) => !isCounted(name)).map((attribute): Change => ({ kind: "attribute", attribute })),
    ...dues,
    ...also,
  ];
  if (writes.length > 0) await writerOf(context).write(...writes);
  for (const { name, value, secret, kind, step = null } of written)
    context.attributes.set(context.current(service).name, name, { value, secret, kind, step });
  work.early.settled(
    service,
    attributes.map(({ name }) => name),
  );
}

/**
 * Adds tasks to the agenda for services that refer to changed attributes.
 * @returns the new tasks.
 */
function affected(
  { context, assignments, agenda, dependencies, fresh }: Publishing,
  service: Service,
  changed: ReadonlySet<string>,
): [Service, Task][] {
  const found: [Service, Task][] = [];
  if (fresh) return found;
  // A service that never started, or lost its machine, gets the new value at its next launch. That may happen in a
  // later command.
  const isThere = (dependent: Service) => {
    const without = dependent.spec.placement.kind === "cloud" && assignments.machine(dependent) === null;
    return agenda.of(dependent) !== null || !(without || context.records.get(dependent.id)?.state === "planned");
  };
  // A machine that has not been requested yet will use the new value anyway.
  const isToCome = (dependent: Service) =>
    agenda.of(dependent)?.stage === "launch" && assignments.machine(dependent) === null;
  const known = context.attributes.of(service.name);
  for (const dependency of dependencies.get(service.spec.name) ?? []) {
    if (!changed.has(dependency.attribute) || !names(dependency, service)) continue;
    const first = !known.has(dependency.attribute);
    const task: Task = {
      stage: dependency.stage,
      reason: `${service.name}.${dependency.attribute} changed`,
      resume: false,
    };
    for (const dependent of context.bySpec.get(dependency.dependent) ?? []) {
      if (task.stage === "replace" && isToCome(dependent)) continue;
      // A program that continues cannot have used an earlier value if there was none: it waits for this one.
      if (first && agenda.of(dependent)?.resume === true) continue;
      if (dependent !== service && isThere(dependent) && agenda.add(dependent, task)) found.push([dependent, task]);
    }
  }
  return found;
}

function names({ replica }: Dependency, service: Service): boolean {
  return replica === "all" || replica === service.replica;
}

/** Publishes a machine's address again if it has changed: other services may refer to it. */
export async function publishAddress(work: BringUp, service: Service): Promise<void> {
  const machine = work.assignments.machine(service);
  if (machine === null || machine.host === null || machine.driverId === null) return;
  const { host, privateHost, hostname, driverId: id } = machine;
  const known = work.context.attributes.of(service.name);
  const builtIns = machineBuiltIns(service, { host, privateHost, hostname, id });
  const isNew = builtIns.some(({ name, value }) => ADDRESSES.has(name) && known.get(name)?.value !== value);
  if (known.has("host") && isNew) await publish(work, service, builtIns);
}

const ADDRESSES = new Set(["host", "private_host", "hostname"]);

export function machineBuiltIns(
  service: Service,
  machine: Pick<ReachableMachine, "host" | "privateHost" | "hostname" | "id" | "size" | "zone">,
): AttributeValue[] {
  return builtIns(service, {
    host: machine.host,
    private_host: machine.privateHost ?? machine.host,
    hostname: machine.hostname ?? machine.host,
    instance_id: machine.id,
    cloud: cloudOf(service),
    ...(machine.size === undefined ? {} : { instance_size: machine.size ?? "" }),
    ...(machine.zone === undefined ? {} : { instance_zone: machine.zone ?? "" }),
  });
}

/**
 * The built-in attributes of a service on a host, or on another service's machine.
 * @throws NoMachineError, UnresolvedError
 */
export function hostBuiltIns(assignments: MachineAssignments, service: Service): AttributeValue[] {
  const access = assignments.access(service);
  const host = access.kind === "ssh" ? access.host : (assignments.machine(assignments.owner(service))?.host ?? "");
  return builtIns(service, {
    host,
    private_host: host,
    hostname: host,
    instance_id: "",
    cloud: "",
  });
}

function builtIns(service: Service, values: Record<string, string>): AttributeValue[] {
  const all = { ...values, ...countedAttributes(service.spec, service.replica) };
  return Object.entries(all).map(([name, value]) => ({
    serviceId: service.id,
    name,
    value,
    kind: "builtin",
    secret: false,
  }));
}

/** The attributes that the plan declares, resolved. @throws UnresolvedError */
export function declared(context: RunContext, service: Service): AttributeValue[] {
  return Object.entries(service.spec.attributes).map(([name, { value, secret }]) => ({
    serviceId: service.id,
    name,
    value: context.attributes.resolve(value, service.name),
    kind: "declared",
    secret,
  }));
}
