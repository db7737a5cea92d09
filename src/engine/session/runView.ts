/** Reads a run as described by the newest revision of its plan. */
import { isDeepStrictEqual } from "node:util";

import { replicaNames, replicaNumbers, type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { PlanRecord, RunRecord, ServiceRecord, VariableRecord } from "../../state/contract/records.js";
import type { SecretReading, Store } from "../../state/contract/store.js";
import { countedAttributes } from "../attributes/countedAttributes.js";
import type { AttributeSources, AttributeValue, AttributeValues } from "../attributes/attributes.js";
import { dependencies } from "../attributes/dependents.js";
import type { RunView, ViewChange } from "../run/context.js";
import { groupBy } from "../run/lists.js";
import type { DroppedService, Service } from "../run/service.js";

export interface ViewSource {
  readonly store: Store;
  readonly run: Pick<RunRecord, "id" | "uid">;
  /** How secrets are read. */
  readonly secrets: SecretReading | undefined;
  /** Whether the reader holds the run's lease. If so, nobody else can store a revision during the read. */
  readonly holdsLease: boolean;
}

/** The recorded data of a run, all of one revision. */
export interface RecordedRun {
  readonly view: RunView;
  readonly sources: AttributeSources;
  readonly values: AttributeValues;
  /** All secret values in it. */
  readonly secrets: readonly string[];
}

/**
 * Reads the newest revision.
 * @param before the current view: unchanged services keep their objects.
 */
export async function readRun(source: ViewSource, before: RunView | null): Promise<RecordedRun> {
  const { store, run, holdsLease } = source;
  for (;;) {
    const current = await store.plan(run);
    const read = await readRevision(source, current, before);
    if (holdsLease || (await store.plan(run)).revision === current.revision) return read;
  }
}

async function readRevision(
  { store, run, secrets }: ViewSource,
  current: PlanRecord,
  before: RunView | null,
): Promise<RecordedRun> {
  const { plan, revision } = current;
  const records = await store.services(run);
  const keep = keeper(before);
  const levels = placeServices(records, current).map((services) => services.map(keep));
  const planOf = plansOf(store, run);
  const dropped = (await droppedServices(planOf, records, plan)).map(keep);
  const former = new Map([...(await formerServices(planOf, records, current))].map(([id, one]) => [id, keep(one)]));
  const all = [...dropped, ...levels.flat()];
  const sources = {
    plan,
    variables: await store.variables(run, secrets),
    dropped: [...dropped, ...former.values()].map(({ spec }) => spec),
  };
  const values = await readValues({ store, run, secrets }, records, [...levels.flat(), ...dropped]);
  return {
    view: {
      revision,
      plan,
      levels,
      dropped,
      former,
      bySpec: groupBy(levels.flat(), ({ spec }) => spec.name),
      byName: new Map(all.map((service) => [service.name, service])),
      byId: new Map(all.map((service) => [service.id, service])),
      records: new Map(records.map((service) => [service.id, service])),
    },
    sources,
    values,
    secrets: secretsIn(sources.variables, values),
  };
}

function secretsIn(variables: readonly VariableRecord[], values: AttributeValues): string[] {
  const attributes = [...values.values()].flatMap((own) => [...own.values()]);
  return [...variables, ...attributes].flatMap(({ secret, value }) => (secret ? [value] : []));
}

async function readValues(
  { store, run, secrets }: Pick<ViewSource, "store" | "run" | "secrets">,
  records: readonly ServiceRecord[],
  services: readonly Service[],
): Promise<AttributeValues> {
  const names = new Map(records.map((service) => [service.id, service.name]));
  const values = new Map<string, Map<string, AttributeValue>>();
  for (const { serviceId, name, ...value } of await store.attributes(run, secrets)) {
    const service = names.get(serviceId);
    if (service === undefined) continue;
    const own = values.get(service) ?? new Map<string, AttributeValue>();
    values.set(service, own.set(name, value));
  }
  for (const { name, spec, replica } of services) {
    const own = values.get(name);
    // A service that has not come up has none of its attributes yet.
    if (own?.has("host") !== true) continue;
    for (const [counted, value] of Object.entries(countedAttributes(spec, replica)))
      own.set(counted, { kind: "builtin", secret: false, value });
  }
  return values;
}

/** The change of the run from one view to the next. */
export function changeOf(before: RunView, now: RunView): ViewChange {
  const isThere = (view: RunView) => {
    const ids = new Set(view.levels.flat().map(({ id }) => id));
    return ({ id }: Service) => ids.has(id);
  };
  const [was, is] = [isThere(before), isThere(now)];
  return {
    from: before.revision,
    to: now.revision,
    added: now.levels.flat().filter((service) => !was(service)),
    removed: before.levels.flat().filter((service) => !is(service)),
    renamed: new Map([...namesNow(before, now)].filter(([old, name]) => old !== name)),
  };
}

/** The current names of services, by their earlier names. Services that are gone have none. */
export function namesNow(before: RunView, now: RunView): Map<string, string> {
  return new Map(
    [...before.records.values()].flatMap(({ id, name }) => {
      const record = now.records.get(id);
      return record === undefined ? [] : [[name, record.name] as const];
    }),
  );
}

/** Returns a function that reuses a service's earlier object if nothing has changed for it. */
function keeper(before: RunView | null): <S extends Service>(service: S) => S {
  return (service) => {
    const known = [before?.former.get(service.id), before?.byId.get(service.id)];
    return (known.find((one) => one !== undefined && isSame(one, service)) as typeof service | undefined) ?? service;
  };
}

function isSame(one: Service, other: Service): boolean {
  const described = ({ level, bundles, ...rest }: Service) => [
    rest,
    level.name,
    Object.entries(bundles).filter(([name]) => name.startsWith(`${rest.spec.name}.`)),
  ];
  return one.name === other.name && isDeepStrictEqual(described(one), described(other));
}

function placeServices(records: readonly ServiceRecord[], { plan, bundles }: PlanRecord): Service[][] {
  const numbers = new Map(
    records.filter((record) => record.due?.stage !== "remove").map((record) => [record.name, record.id]),
  );
  return plan.levels.map((level) =>
    level.services.flatMap((spec) => {
      const replicas = replicaNumbers(spec);
      return replicaNames(spec).flatMap((name, index) => {
        const id = numbers.get(name);
        return id === undefined ? [] : [{ id, name, replica: replicas[index] as number, spec, level, bundles }];
      });
    }),
  );
}

/** Reads revisions of a run's plan, each only once. */
function plansOf(store: Store, run: Pick<RunRecord, "id" | "uid">): (revision: number) => Promise<PlanRecord> {
  const plans = new Map<number, Promise<PlanRecord>>();
  return (revision) => {
    const known = plans.get(revision) ?? store.plan(run, revision);
    plans.set(revision, known);
    return known;
  };
}

async function droppedServices(
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

async function formerServices(
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

/** The service as a plan describes it under one of these names, or null. */
function serviceIn(
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
