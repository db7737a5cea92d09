/** What a command that works on a run has in hand. */
import pLimit, { type LimitFunction } from "p-limit";

import type { RunEvent } from "../events.js";
import { replicaNames, type LaunchPlan, type LevelSpec, type ServiceSpec } from "../plan/launchPlan.js";
import { Redactor } from "../secrets/redactor.js";
import type { BundleRecord, RunRecord, VariableRecord } from "../state/records.js";
import type { SecretReading } from "../state/runReader.js";
import type { RunWriter } from "../state/runWriter.js";
import type { Store } from "../state/store.js";
import { AttributeBook } from "./attributes.js";
import { Clouds } from "./clouds.js";
import { MachineLinks } from "./machineLinks.js";

/** One replica of a service: what the engine moves from state to state. */
export interface Service {
  /** Its number in the database. */
  readonly id: number;
  readonly name: string;
  readonly replica: number;
  readonly generation: number;
  readonly spec: ServiceSpec;
  readonly level: LevelSpec;
}

export interface RunContext {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly plan: LaunchPlan;
  readonly store: Store;
  /** Null for commands that only read. */
  readonly writer: RunWriter | null;
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly book: AttributeBook;
  readonly redactor: Redactor;
  readonly clouds: Clouds;
  readonly links: MachineLinks;
  /** Every place in it is a program that runs. */
  readonly programs: LimitFunction;
  /** Aborted when the operator wants to stop: nothing new is started then, what runs is written down. */
  readonly stop: AbortSignal;
  /** Tells the observer, redacted; does not record. */
  readonly tell: (event: RunEvent) => void;
  /** Services of each level, in the plan's order. */
  readonly levels: readonly (readonly Service[])[];
}

export interface ContextParts {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly plan: LaunchPlan;
  readonly store: Store;
  readonly writer: RunWriter | null;
  readonly stop: AbortSignal;
  readonly observe: (event: RunEvent) => void;
  /** "optional" where no program runs that would need them. Default: "needed". */
  readonly secrets?: SecretReading;
}

/** Gathers what the database knows of a run. Nothing is connected or asked yet. */
export async function openContext(parts: ContextParts): Promise<RunContext> {
  const { run, plan, store, stop, observe } = parts;
  const record = await store.findRun(String(run.id));
  const variables = await store.variables(record, parts.secrets);
  const book = await openBook(store, record, plan, variables, parts.secrets);
  const redactor = new Redactor(book.secrets());
  const tell = (event: RunEvent) => observe(redactor.redactData(event));
  const warn = (message: string) => tell({ at: Date.now(), type: "warning", service: null, message });
  return {
    ...parts,
    bundles: await store.bundles(record),
    book,
    redactor,
    clouds: new Clouds(plan, store, book, warn),
    links: new MachineLinks({ store, writer: parts.writer, uid: run.uid, warn }),
    programs: pLimit(plan.concurrency),
    stop,
    tell,
    levels: await readLevels(store, record, plan),
  };
}

/** The levels with their services' names, as the event of a run's start tells them. */
export function levelNames(context: RunContext): { name: string; services: string[] }[] {
  return context.levels.map((services, index) => ({ name: context.plan.levels[index]?.name ?? "", services: services.map((service) => service.name) }));
}

/** Lets go of connections and drivers. */
export async function closeContext(context: RunContext): Promise<void> {
  await context.links.close();
  await context.clouds.close();
}

async function openBook(store: Store, run: RunRecord, plan: LaunchPlan, variables: readonly VariableRecord[], secrets?: SecretReading): Promise<AttributeBook> {
  const book = new AttributeBook(plan, run.name, variables);
  const names = new Map((await store.services(run)).map((service) => [service.id, service.name]));
  for (const { serviceId, name, value, secret, kind } of await store.attributes(run, secrets)) {
    book.set(names.get(serviceId) as string, name, { value, secret, kind });
  }
  return book;
}

async function readLevels(store: Store, run: RunRecord, plan: LaunchPlan): Promise<Service[][]> {
  const records = new Map((await store.services(run)).map((record) => [record.name, record]));
  return plan.levels.map((level) =>
    level.services.flatMap((spec) =>
      replicaNames(spec).flatMap((name, index) => {
        const record = records.get(name);
        return record ? [{ id: record.id, name, replica: index + 1, generation: record.generation, spec, level }] : [];
      }),
    ),
  );
}
