/** Describes what a plan would start, as data. */
import type { LaunchPlan, ProgramSpec, ServiceSpec } from "./launchPlan/launchPlan.js";
import { packagesOf } from "./compile/packages.js";
import { templateText } from "./references/references.js";

export interface PlanDescription {
  readonly plan: string;
  readonly description: string;
  readonly file: string;
  /** The number of services (the sum of all replicas), and the number of machines that are started for them. */
  readonly services: number;
  readonly machines: number;
  readonly levels: readonly { readonly name: string; readonly services: readonly ServiceDescription[] }[];
}

export interface ServiceDescription {
  readonly name: string;
  readonly replicas: number;
  /** The cloud and its driver, or null for a service on a host. */
  readonly cloud: string | null;
  readonly driver: string | null;
  /** The host as written, such as `${db.host}`, or null if a cloud starts the machine. */
  readonly host: string | null;
  /**
   * The sizes of its machine as written: the preferred one, then the alternatives where there is no capacity for it.
   */
  readonly sizes: readonly string[];
  /** The plan's image that it uses, or null. */
  readonly image: string | null;
  /** What each program runs: an absolute path or a shell line. A "setup" that installs packages lists them. */
  readonly programs: readonly {
    readonly step: "setup" | "boot" | "ready" | "execute" | "report" | "terminate";
    readonly run: string;
    readonly where: "machine" | "launcher";
  }[];
}

/** Describes a compiled plan. Calls no cloud. */
export function describePlan(plan: LaunchPlan): PlanDescription {
  const all = plan.levels.flatMap(({ services }) => services);
  const count = (services: readonly ServiceSpec[]): number => services.reduce((sum, { replicas }) => sum + replicas, 0);
  return {
    plan: plan.name,
    description: plan.description,
    file: plan.file,
    services: count(all),
    machines: count(all.filter(({ placement }) => placement.kind === "cloud")),
    levels: plan.levels.map(({ name, services }) => ({
      name,
      services: services.map((service) => describeService(service, plan)),
    })),
  };
}

function describeService(service: ServiceSpec, plan: LaunchPlan): ServiceDescription {
  const { placement } = service;
  const cloud = placement.kind === "cloud" ? placement.cloud : null;
  return {
    name: service.name,
    replicas: service.replicas,
    cloud,
    driver: cloud === null || !Object.hasOwn(plan.clouds, cloud) ? null : (plan.clouds[cloud]?.driver ?? null),
    host: placement.kind === "host" ? templateText(placement.host) : null,
    sizes: service.size === null ? [] : [service.size, ...service.fallbackSizes].map((size) => templateText(size)),
    image: service.imageName,
    programs: [
      ...service.setup.map((setup) => ({
        step: "setup" as const,
        run: setup.kind === "packages" ? `packages ${packagesOf(setup).join(" ")}` : written(setup.program),
        where: setup.program.where,
      })),
      ...(["boot", "ready", "execute", "report", "terminate"] as const).flatMap((step) => {
        const program = step === "report" ? service.report?.program : service[step];
        return !program ? [] : [{ step, run: written(program), where: program.where }];
      }),
    ],
  };
}

function written({ run }: ProgramSpec): string {
  return run.kind === "command" ? templateText(run.line) : run.path;
}
