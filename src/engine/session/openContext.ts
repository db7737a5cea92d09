/** Gathers what the record says of a run, for a command that works on it. */
import type { Coordination } from "../run/coordination.js";
import { setMaxListeners } from "node:events";
import pLimit from "p-limit";
import type { RunContext } from "../run/context.js";
import type { RunEvent } from "../../model/events.js";
import { replicaNames, replicaNumbers, type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { Redactor } from "../../secrets/redactor.js";
import type { PlanRecord, RunRecord, ServiceRecord } from "../../state/contract/records.js";
import type { SecretReading, Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { dependencies } from "../attributes/dependents.js";
import { AttributeRegistry } from "../attributes/attributes.js";
import { Clouds } from "../clouds/clouds.js";
import { groupBy } from "../run/lists.js";
import { MachineLinks } from "../clouds/machineLinks.js";
import { RunAbort } from "../run/abort.js";
import { RunRequests } from "../run/requests.js";
import { standAside as letGo } from "../run/standAside.js";
import { CoordinationHub } from "../coordination/hub.js";
import type { Service, DroppedService } from "../run/service.js";

export interface ContextParts {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  readonly writer: RunWriter | null;
  readonly stop: AbortSignal;
  /** Makes the command stop, for somebody who has asked for the run. A command that only reads needs none. */
  readonly standAside?: () => void;
  /** Default: null. */
  readonly over?: AbortSignal | null;
  readonly observe: (event: RunEvent) => void;
  /** "optional" where no program runs that would need them. Default: "needed". */
  readonly secrets?: SecretReading;
}

/** Gathers what the database knows of a run. Nothing is connected or asked yet. */
export async function openContext(parts: ContextParts): Promise<RunContext> {
  const { run, store, writer, stop, standAside = () => undefined, over = null, observe } = parts;
  if (over !== null) setMaxListeners(0, over);
  const current = await store.plan(run);
  const { plan } = current;
  const records = await store.services(run);
  const levels = placeServices(records, current);
  const described = plansOf(store, run);
  const dropped = await droppedServices(described, records, plan);
  const former = await formerServices(described, records, current);
  const variables = await store.variables(run, parts.secrets);
  const book = new AttributeRegistry(
    plan,
    run.name,
    variables,
    [...dropped, ...former.values()].map(({ spec }) => spec),
  );
  const names = new Map(records.map((service) => [service.id, service.name]));
  for (const { serviceId, name, ...value } of await store.attributes(run, parts.secrets)) {
    const service = names.get(serviceId);
    if (service !== undefined) book.set(service, name, value);
  }
  const redactor = new Redactor(book.secrets());
  const tell = (event: RunEvent) => observe(redactor.redactData(event));
  const warn = (message: string) => tell({ at: store.clock.now(), type: "warning", service: null, message });
  const byName = new Map<string, Service>([...dropped, ...levels.flat()].map((service) => [service.name, service]));
  const contacts = { store, run, writer, ssh: (service: string) => byName.get(service)?.spec.ssh ?? null };
  const clouds = new Clouds({
    plan,
    store,
    attributes: book,
    warn,
    prove: async () => writer?.prove(),
    readOnly: writer === null,
    contacts,
  });
  const abort = await RunAbort.open({ store, run, writer, tell });
  const requests = await RunRequests.open({
    store,
    run,
    writer,
    handlers: {
      abort: (request) => abort.requested(request),
      "stand-aside": (request) => letGo(request, store.clock.now(), standAside),
    },
    redact: (event) => redactor.redactData(event),
    tell,
  });
  const halt = AbortSignal.any([stop, abort.signal]);
  setMaxListeners(0, halt);
  const known = {
    abort,
    requests,
    halt,
    run,
    plan,
    store,
    clock: store.clock,
    writer,
    attributes: book,
    redactor,
    stop,
    standAside,
    cleanupExpired: over,
    emit: tell,
    levels,
    dropped,
    former,
    clouds,
    byName,
    links: new MachineLinks({ store, writer, run, driver: (cloud) => clouds.driver(cloud), warn }),
    programSlots: pLimit(plan.concurrency),
    bySpec: groupBy(levels.flat(), ({ spec }) => spec.name),
    records: new Map(records.map((service) => [service.id, service])),
  };
  return withCoordination(known);
}

/** The hub works with the context that it is a part of. */
function withCoordination(known: Omit<RunContext, "coordination">): RunContext {
  const context = { ...known } as RunContext & { coordination: Coordination };
  context.coordination = new CoordinationHub(context);
  return context;
}

/** Lets go of connections and drivers. */
export async function closeContext(context: RunContext): Promise<void> {
  context.requests.close();
  await context.links.close();
  await context.clouds.close(context.stop);
}

export function placeServices(records: readonly ServiceRecord[], { plan, bundles }: PlanRecord): Service[][] {
  const numbers = new Map(
    records.filter((record) => record.due?.stage !== "remove").map((record) => [record.name, record.id]),
  );
  return plan.levels.map((level) =>
    level.services.flatMap((spec) =>
      replicaNames(spec).flatMap((name, index) => {
        const id = numbers.get(name);
        return id === undefined
          ? []
          : [{ id, name, replica: replicaNumbers(spec)[index] as number, spec, level, bundles }];
      }),
    ),
  );
}

/** Revisions of a run's plan, each read once. */
export function plansOf(store: Store, run: Pick<RunRecord, "id" | "uid">): (revision: number) => Promise<PlanRecord> {
  const plans = new Map<number, Promise<PlanRecord>>();
  return (revision) => {
    const known = plans.get(revision) ?? store.plan(run, revision);
    plans.set(revision, known);
    return known;
  };
}

export async function droppedServices(
  planOf: (revision: number) => Promise<PlanRecord>,
  records: readonly ServiceRecord[],
  current: LaunchPlan,
): Promise<DroppedService[]> {
  const dropped = records
    .filter((record) => record.due?.stage === "remove")
    .sort((one, other) => other.level - one.level);
  const kept = new Set(current.levels.flatMap((level) => level.services).flatMap(({ name, was }) => [name, was]));
  const services = await Promise.all(
    dropped.map(async (record) => {
      const plan = await planOf(record.revision);
      const service = serviceIn(plan, record, [record.spec]);
      const needed = (dependencies(plan.plan).get(record.spec) ?? []).some(({ dependent }) => kept.has(dependent));
      return service === null ? [] : [{ ...service, needed }];
    }),
  );
  return services.flat();
}

export async function formerServices(
  planOf: (revision: number) => Promise<PlanRecord>,
  records: readonly ServiceRecord[],
  current: PlanRecord,
): Promise<Map<number, Service>> {
  const replaced = records.filter(
    ({ due, revision }) => (due?.stage === "replace" || due?.stage === "discard") && revision < current.revision,
  );
  const was = new Map(current.plan.levels.flatMap((level) => level.services).map((spec) => [spec.name, spec.was]));
  const services = await Promise.all(
    replaced.map(async (record) =>
      serviceIn(await planOf(record.revision), record, [record.spec, was.get(record.spec) ?? null]),
    ),
  );
  return new Map(services.flatMap((service) => (service === null ? [] : [[service.id, service] as const])));
}

/** A service as a plan describes it, under one of these names. */
export function serviceIn(
  { plan, bundles }: PlanRecord,
  { id, name, replica }: ServiceRecord,
  specNames: readonly (string | null)[],
): Service | null {
  for (const specName of specNames) {
    const level = plan.levels.find(({ services }) => services.some((one) => one.name === specName));
    const spec = level?.services.find((one) => one.name === specName);
    if (level !== undefined && spec !== undefined) return { id, name, replica, spec, level, bundles };
  }
  return null;
}
