/** What a command that works on a run has in hand. */
import { setMaxListeners } from "node:events";

import pLimit, { type LimitFunction } from "p-limit";

import type { Clock } from "../../time/clock.js";
import type { RunEvent } from "../../events.js";
import {
  replicaNames,
  replicaNumbers,
  type LaunchPlan,
  type LevelSpec,
  type ServiceSpec,
} from "../../plan/launchPlan.js";
import { Redactor } from "../../secrets/redactor.js";
import type { PlanRecord, RunRecord, ServiceRecord } from "../../state/records.js";
import type { SecretReading } from "../../state/runReader.js";
import type { RunWriter } from "../../state/runWriter.js";
import type { Store } from "../../state/store.js";
import { dependencies } from "../plans/dependents.js";
import { AttributeBook } from "./attributes.js";
import { Clouds } from "./clouds.js";
import { groupBy } from "./lists.js";
import { MachineLinks } from "./machineLinks.js";
import { RunAbort } from "./runAbort.js";
import { TalkHub } from "../talk/hub.js";

/** One replica of a service: what the engine moves from state to state. */
export interface Service {
  /** Its number in the database. */
  readonly id: number;
  readonly name: string;
  readonly replica: number;
  readonly spec: ServiceSpec;
  readonly level: LevelSpec;
  /** The programs of the plan that describes it, by `<service>.<step>`. */
  readonly bundles: PlanRecord["bundles"];
}

/** A service that the plan has no more. */
export interface DroppedService extends Service {
  /** Whether a service that the plan still has referred to it: it goes when that one has been told to do without. */
  readonly needed: boolean;
}

export interface RunContext {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly plan: LaunchPlan;
  readonly store: Store;
  readonly clock: Clock;
  /** Null for commands that only read. */
  readonly writer: RunWriter | null;
  readonly book: AttributeBook;
  readonly redactor: Redactor;
  readonly clouds: Clouds;
  readonly links: MachineLinks;
  /** Every place in it is a program that runs. */
  readonly programs: LimitFunction;
  /** Aborted when the operator wants to stop: nothing new is started then, what runs is written down. */
  readonly stop: AbortSignal;
  /**
   * Aborted, with an Error that says why, when the time for tidying up is over; null where that takes as long as it
   * takes.
   */
  readonly over: AbortSignal | null;
  /** Of the run, by one of its programs or somebody outside. */
  readonly abort: RunAbort;
  /** Aborted when nothing new is to begin: the operator stops the command, or the run is aborted. */
  readonly halt: AbortSignal;
  /** Where programs of the run meet. */
  readonly talk: TalkHub;
  /** Tells the observer, redacted; does not record. */
  readonly tell: (event: RunEvent) => void;
  /** Services of each level, in the plan's order. */
  readonly levels: readonly (readonly Service[])[];
  /** Services that the plan has no more, and that are not taken down yet; the last level first. */
  readonly dropped: readonly DroppedService[];
  /**
   * Services whose machines are to be replaced, as the earlier plan describes them that their machines were started by;
   * by number.
   */
  readonly former: ReadonlyMap<number, Service>;
  /** Replicas of the services of the plan, by the service's name in it. */
  readonly bySpec: ReadonlyMap<string, readonly Service[]>;
  /** All of them, by name. */
  readonly byName: ReadonlyMap<string, Service>;
  /** What the record said of each service when the command began, by number. */
  readonly records: ReadonlyMap<number, ServiceRecord>;
}

export interface ContextParts {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  readonly writer: RunWriter | null;
  readonly stop: AbortSignal;
  /** Default: null. */
  readonly over?: AbortSignal | null;
  readonly observe: (event: RunEvent) => void;
  /** "optional" where no program runs that would need them. Default: "needed". */
  readonly secrets?: SecretReading;
}

/** Gathers what the database knows of a run. Nothing is connected or asked yet. */
export async function openContext(parts: ContextParts): Promise<RunContext> {
  const { run, store, writer, stop, over = null, observe } = parts;
  if (over !== null) setMaxListeners(0, over);
  const current = await store.plan(run);
  const { plan } = current;
  const records = await store.services(run);
  const levels = placeServices(records, current);
  const described = plansOf(store, run);
  const dropped = await droppedServices(described, records, plan);
  const former = await formerServices(described, records, current);
  const variables = await store.variables(run, parts.secrets);
  const book = new AttributeBook(
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
    book,
    warn,
    prove: () => writer?.prove(),
    readOnly: writer === null,
    contacts,
  });
  const abort = await RunAbort.open({ store, run, writer, tell });
  const halt = AbortSignal.any([stop, abort.signal]);
  setMaxListeners(0, halt);
  const known = {
    abort,
    halt,
    run,
    plan,
    store,
    clock: store.clock,
    writer,
    book,
    redactor,
    stop,
    over,
    tell,
    levels,
    dropped,
    former,
    clouds,
    byName,
    links: new MachineLinks({ store, writer, run, driver: (cloud) => clouds.driver(cloud), warn }),
    programs: pLimit(plan.concurrency),
    bySpec: groupBy(levels.flat(), ({ spec }) => spec.name),
    records: new Map(records.map((service) => [service.id, service])),
  };
  return withTalk(known);
}

/** The hub works with the context that it is a part of. */
function withTalk(known: Omit<RunContext, "talk">): RunContext {
  const context = { ...known } as RunContext & { talk: TalkHub };
  context.talk = new TalkHub(context);
  return context;
}

/** The levels with their services' names, as the event of a run's start tells them. */
export function levelNames(context: RunContext): { name: string; services: string[] }[] {
  return context.levels.map((services, index) => ({
    name: levelName(context, index),
    services: services.map((service) => service.name),
  }));
}

export function levelName(context: RunContext, index: number): string {
  return context.plan.levels[index]?.name ?? "";
}

/** Lets go of connections and drivers. */
export async function closeContext(context: RunContext): Promise<void> {
  context.abort.close();
  await context.links.close();
  await context.clouds.close(context.stop);
}

function placeServices(records: readonly ServiceRecord[], { plan, bundles }: PlanRecord): Service[][] {
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

/** A service as a plan describes it, under one of these names. */
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
