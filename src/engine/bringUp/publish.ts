/** Attributes that a service makes known, and what a changed value means for the services that refer to it. */
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue } from "../../state/contract/records.js";
import { replicaNumbers } from "../../plan/launchPlan/launchPlan.js";
import { dueStage, type Task } from "../tasks/agenda.js";
import type { Dependency } from "../attributes/dependents.js";
import { writerOf } from "../run/journal.js";
import { cloudOf } from "../launch/launchMachines.js";
import type { ReachableMachine } from "../launch/machineWatch.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Makes attributes known: recorded first, together with `also` and with what their changed values mean for other
 * services, then told to references. It is done once a command for each attribute.
 */
export async function publish(
  work: BringUp,
  service: Service,
  attributes: readonly AttributeValue[],
  also: readonly Change[] = [],
): Promise<void> {
  const { context } = work;
  context.redactor.add(attributes.filter((attribute) => attribute.secret).map((attribute) => attribute.value));
  const own = context.attributes.of(service.name);
  const changed = attributes.filter(
    ({ name, value, secret }) => own.get(name)?.value !== value || own.get(name)?.secret !== secret,
  );
  // The same value again is no change for others, but it is this boot's by now.
  const written = attributes.filter(
    (attribute) => changed.includes(attribute) || own.get(attribute.name)?.stale === true,
  );
  const tasks = affected(work, service, new Set(changed.map(({ name }) => name)));
  const dues = tasks.map(([{ id }, task]): Change => ({
    kind: "due",
    id,
    due: { stage: dueStage(task) ?? "boot", reason: task.reason },
  }));
  const writes: Change[] = [
    ...written.map((attribute): Change => ({ kind: "attribute", attribute })),
    ...dues,
    ...also,
  ];
  if (writes.length > 0) await writerOf(context).write(...writes);
  for (const { name, value, secret, kind } of written)
    context.attributes.set(context.current(service).name, name, { value, secret, kind });
  work.early.settled(
    service,
    attributes.map(({ name }) => name),
  );
}

/** Puts on the agenda what services that refer to changed attributes must do again. @returns what is new on it. */
function affected(
  { context, assignments, agenda, dependencies, fresh }: BringUp,
  service: Service,
  changed: ReadonlySet<string>,
): [Service, Task][] {
  const found: [Service, Task][] = [];
  if (fresh) return found;
  // A service that never started, or has lost its machine, takes the new value when it is launched; this command may
  // not be the one that does.
  const isThere = (dependent: Service) => {
    const without = dependent.spec.placement.kind === "cloud" && assignments.machine(dependent) === null;
    return agenda.of(dependent) !== null || !(without || context.records.get(dependent.id)?.state === "planned");
  };
  // A machine that was not asked for yet is made with the new value anyway.
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
      // One that goes on cannot have gone by an earlier value where there was none: it waits for this one.
      if (first && agenda.of(dependent)?.resume === true) continue;
      if (dependent !== service && isThere(dependent) && agenda.add(dependent, task)) found.push([dependent, task]);
    }
  }
  return found;
}

function names({ replica }: Dependency, service: Service): boolean {
  return replica === "all" || replica === service.replica;
}

export function machineBuiltIns(service: Service, machine: ReachableMachine): AttributeValue[] {
  return builtIns(service, {
    host: machine.host,
    private_host: machine.privateHost ?? machine.host,
    hostname: machine.hostname ?? machine.host,
    instance_id: machine.id,
    cloud: cloudOf(service),
  });
}

/** What a service on a host, or on another one's machine, is known by. @throws NoMachineError, UnresolvedError */
export function hostBuiltIns(assignments: MachineAssignments, service: Service): AttributeValue[] {
  const access = assignments.access(service);
  const host = access.kind === "ssh" ? access.host : (assignments.machine(assignments.owner(service))?.host ?? "");
  return builtIns(service, { host, private_host: host, hostname: host, instance_id: "", cloud: "" });
}

function builtIns(service: Service, values: Record<string, string>): AttributeValue[] {
  const all = {
    ...values,
    replica: String(service.replica),
    replicas: String(service.spec.replicas),
    ids: replicaNumbers(service.spec).join(","),
  };
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
