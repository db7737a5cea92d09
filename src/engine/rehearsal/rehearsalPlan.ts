/** Turns a plan into one for rehearsals: the same levels, services and references, on simulated clouds only. */
import { withFittingDurations, type SimOptions } from "./fittingDurations.js";
import type {
  CloudSpec,
  LaunchPlan,
  Placement,
  ProgramSpec,
  ReadySpec,
  ServiceSpec,
  VariableSpec,
} from "../../plan/launchPlan/launchPlan.js";

export type { SimOptions };

/** The value of variables without a value, and of all secret ones. */
export const PLACEHOLDER = "rehearsal";

/**
 * The plan to rehearse. It touches nothing real: each cloud is simulated, an existing host becomes a simulated machine,
 * launcher programs move to the service's machine, and no program is packed, since none is run. References stay and
 * must resolve as in the plan.
 * @param faults keys of every simulated cloud; null: clouds that the plan simulates itself keep their keys, the others
 *   get `otherwise`
 */
export function rehearsalPlan(plan: LaunchPlan, faults: SimOptions | null, otherwise: SimOptions): LaunchPlan {
  const hosts = freeName(plan, "hosts");
  const services = plan.levels.flatMap((level) => level.services);
  const clouds = Object.values(plan.clouds).map((cloud) =>
    rehearsalCloud(cloud, faults ?? (cloud.driver === "sim" ? cloud.options : otherwise), plan),
  );
  const needsHosts = services.some(({ placement }) => placement.kind === "host" && !sharesMachine(placement));
  const own = new Set(
    Object.values(plan.clouds)
      .filter(({ driver }) => driver === "sim")
      .map(({ name }) => name),
  );
  return {
    ...plan,
    variables: plan.variables.map(rehearsalVariable),
    clouds: Object.fromEntries(
      [
        ...clouds,
        ...(needsHosts ? [rehearsalCloud({ name: hosts, driver: "sim", options: {} }, faults ?? otherwise, plan)] : []),
      ].map((cloud) => [cloud.name, cloud]),
    ),
    levels: plan.levels.map((level) => ({
      ...level,
      services: level.services.map((service) => rehearsalService(service, hosts, own)),
    })),
  };
}

/** The plan with this seed for each of its clouds. */
export function withSeed(plan: LaunchPlan, seed: string): LaunchPlan {
  return {
    ...plan,
    clouds: Object.fromEntries(
      Object.values(plan.clouds).map((cloud) => [
        cloud.name,
        { ...cloud, options: { ...cloud.options, seed: `${seed} ${cloud.name}` } },
      ]),
    ),
  };
}

/** A rehearsal's clouds are in its own directory, whatever `file` says. */
function rehearsalCloud({ name }: CloudSpec, options: SimOptions, plan: LaunchPlan): CloudSpec {
  const fitting = withFittingDurations(options, plan);
  return {
    name,
    driver: "sim",
    options: Object.fromEntries(Object.entries(fitting).filter(([key]) => key !== "file")),
  };
}

/** Secrets are not used in rehearsals. */
function rehearsalVariable(variable: VariableSpec): VariableSpec {
  return variable.secret
    ? { ...variable, default: PLACEHOLDER, env: null }
    : { ...variable, default: variable.default ?? PLACEHOLDER };
}

function rehearsalService(service: ServiceSpec, hosts: string, simulated: ReadonlySet<string>): ServiceSpec {
  const { placement } = service;
  return {
    ...service,
    placement: placement.kind === "cloud" || sharesMachine(placement) ? placement : { kind: "cloud", cloud: hosts },
    // Keys of another driver have no meaning here.
    launch: placement.kind === "cloud" && simulated.has(placement.cloud) ? service.launch : {},
    ...(service.setup === undefined
      ? {}
      : { setup: service.setup.map((setup) => ({ ...setup, program: rehearsalProgram(setup.program) })) }),
    boot: service.boot && rehearsalProgram(service.boot),
    ready: service.ready && rehearsalProgram(service.ready),
    terminate: service.terminate && rehearsalProgram(service.terminate),
    execute: service.execute ? rehearsalProgram(service.execute) : null,
    // Files that a simulated machine invents are not collected.
    report: null,
  };
}

function rehearsalProgram<P extends ProgramSpec | ReadySpec>(program: P): P {
  return {
    ...program,
    run: program.run.kind === "command" ? program.run : { kind: "command", line: [program.run.path] },
    files: [],
    where: "machine",
    sudo: false,
  };
}

/** Whether the service shares another service's machine: `host: "${db.host}"` and nothing more. */
function sharesMachine(placement: Placement): boolean {
  if (placement.kind !== "host" || placement.host.length !== 1) return false;
  const [only] = placement.host;
  return typeof only === "object" && only.kind === "service" && only.attribute === "host";
}

function freeName(plan: LaunchPlan, name: string): string {
  return Object.hasOwn(plan.clouds, name) ? freeName(plan, `${name}-2`) : name;
}
