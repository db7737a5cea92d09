/** A run's record as one document. Secrets are named but never shown. */
import type { RunState, ServiceFailure, ServiceState } from "../../model/events.js";
import { countedAttributes } from "../attributes/countedAttributes.js";
import type { ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { Abort, MachineRecord, RunRecord, LeaseHolder } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";

export interface ShownAttribute {
  readonly kind: "builtin" | "declared" | "output";
  readonly secret: boolean;
  /** Null for a secret. */
  readonly value: string | null;
}

export interface ShownService {
  readonly name: string;
  readonly state: ServiceState;
  readonly since: number;
  readonly cloud: string | null;
  readonly machine: string | null;
  readonly host: string | null;
  /** The plan's image that it uses, and the built image that its machines start from; null without an image. */
  readonly image: ShownImage | null;
  readonly attributes: Readonly<Record<string, ShownAttribute>>;
  readonly failure: ServiceFailure | null;
  /** Why it has a pending task, or null; a repair carries it out. */
  readonly due: string | null;
  /** The last text that its programs set with `bl say`, or null. */
  readonly said: string | null;
}

export interface ShownImage {
  readonly name: string;
  /** The built image: its name, its version and the driver's id. Null: packages and recipes run at boot. */
  readonly built: { readonly image: string; readonly version: number; readonly id: string } | null;
}

export interface RunDetails {
  readonly run: string;
  readonly number: number;
  readonly plan: string;
  readonly planFile: string;
  readonly state: RunState;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly holder: LeaseHolder | null;
  /** Why the run was aborted, or null. */
  readonly abort: Abort | null;
  readonly variables: Readonly<Record<string, { readonly secret: boolean; readonly value: string | null }>>;
  readonly levels: readonly { readonly name: string; readonly services: readonly ShownService[] }[];
}

/**
 * Reads a run's record.
 * @param builtIns whether the attributes include built-in ones: most of the record of a large run.
 */
export async function showRun(store: Store, run: RunRecord, builtIns = true): Promise<RunDetails> {
  const { plan } = await store.plan(run);
  const specs = new Map(plan.levels.flatMap((level) => level.services).map((spec) => [spec.name, spec]));
  const images = new Map(
    plan.levels.flatMap((level) => level.services.map((spec) => [spec.name, shownImage(spec)] as const)),
  );
  const machines = newestMachines(await store.machines(run));
  const attributes = await attributesByService(store, run, builtIns);
  const services = (await store.services(run))
    .filter((service) => service.due?.stage !== "remove")
    .map((service) => {
      // A machine that was started early and never used is gone once its service is "planned" again. One that has ended
      // is the service's no longer; `history` has it.
      const newest = service.state === "planned" ? undefined : machines.get(service.id);
      const machine = newest?.state === "ended" ? undefined : newest;
      const own = attributes.get(service.id) ?? {};
      const host = own["host"]?.value ?? null;
      const spec = specs.get(service.spec);
      if (!builtIns) delete own["host"];
      else if (host !== null && spec !== undefined) count(own, spec, service.replica);
      return {
        level: service.level,
        shown: {
          name: service.name,
          state: service.state,
          since: service.updatedAt,
          cloud: machine?.cloud ?? null,
          machine: machine?.driverId ?? null,
          host: machine?.host ?? (newest === undefined ? host : null),
          image: images.get(service.spec) ?? null,
          attributes: own,
          failure: service.failure,
          due: service.due?.reason ?? null,
          said: service.said,
        },
      };
    });
  const variables = (await store.variables(run)).filter((variable) => variable.kind === "variable");
  return {
    run: run.name,
    number: run.id,
    plan: run.planName,
    planFile: run.planFile,
    state: shownState(run),
    createdAt: run.createdAt,
    updatedAt: run.updatedAt,
    holder: run.holder,
    abort: run.abort,
    variables: Object.fromEntries(
      variables.map(({ name, secret, value }) => [name, { secret, value: secret ? null : value }]),
    ),
    levels: plan.levels.map((level, index) => ({
      name: level.name,
      services: services.filter((service) => service.level === index).map((service) => service.shown),
    })),
  };
}

/** The state to show: a run that is "booting" or "terminating" without a live launcher is "interrupted". */
export function shownState(run: Pick<RunRecord, "state" | "holder">): RunState {
  const working = run.state !== "ready" && run.state !== "failed" && run.state !== "terminated";
  return working && run.holder?.alive !== true ? "interrupted" : run.state;
}

function shownImage({ imageName, imageChoice }: ServiceSpec): ShownImage | null {
  if (typeof imageName !== "string") return null;
  const built = imageChoice?.built ?? null;
  return { name: imageName, built: built && { image: built.image, version: built.version, id: built.id } };
}

function newestMachines(machines: readonly MachineRecord[]): Map<number, MachineRecord> {
  return new Map(machines.map((machine) => [machine.serviceId, machine]));
}

type Attributes = Record<string, ShownAttribute>;

async function attributesByService(store: Store, run: RunRecord, builtIns: boolean): Promise<Map<number, Attributes>> {
  const services = new Map<number, Attributes>();
  for (const { serviceId, name, kind, secret, value } of await store.attributes(run, "needed", builtIns)) {
    const own = services.get(serviceId) ?? (Object.create(null) as Attributes);
    own[name] = { kind, secret, value: secret ? null : value };
    services.set(serviceId, own);
  }
  return services;
}

function count(own: Attributes, spec: ServiceSpec, replica: number): void {
  for (const [name, value] of Object.entries(countedAttributes(spec, replica)))
    own[name] = { kind: "builtin", secret: false, value };
}
