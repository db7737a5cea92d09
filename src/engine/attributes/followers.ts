/** Predicts which other services a change reaches: those that refer to values that may change with it. */
import type { Stage } from "../../model/events.js";
import { BUILT_IN_ATTRIBUTES, type LaunchPlan, type ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import { dependencies, type Dependency } from "./dependents.js";

/** A replica that begins again at a stage. */
export interface Beginning {
  /** The service's name in the plan. */
  readonly spec: string;
  readonly replica: number;
  readonly stage: Stage;
}

export interface Follower {
  /** The service's name in the plan: all of its replicas follow. */
  readonly service: string;
  /** The earliest stage that it may repeat. */
  readonly stage: Stage;
  /** The references whose values may change: `db.host`. */
  readonly because: readonly string[];
}

/** Numbers of replicas change only with the plan, and then they are part of its difference. */
const NUMBERS: readonly string[] = ["replica", "replicas", "ids"];

const ORDER: readonly Stage[] = ["discard", "replace", "launch", "boot", "verify", "execute"];

/**
 * The services that may have to follow, in the order of the levels. Whether they do is known once the values are: a
 * service that boots again and sets equal outputs affects nobody. Services that begin by themselves at the same stage
 * or earlier are left out.
 */
export function followersOf(plan: LaunchPlan, beginnings: readonly Beginning[]): Follower[] {
  const specs = plan.levels.flatMap((level) => level.services);
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const own = new Map<string, Stage>();
  for (const { spec, stage } of beginnings) own.set(spec, earliest(stage, own.get(spec)));
  const found = new Map<string, { stage: Stage; because: Set<string> }>();
  const queue: { spec: string; replica: number | "all"; stage: Stage }[] = [...beginnings];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { spec, replica, stage } = next;
    const changing = changingAttributes(byName.get(spec), stage);
    for (const dependency of dependencies(plan).get(spec) ?? []) {
      if (!changing.has(dependency.attribute) || !concerns(dependency, replica)) continue;
      const known = found.get(dependency.dependent) ?? { stage: "execute", because: new Set<string>() };
      known.because.add(`${spec}.${dependency.attribute}`);
      const before = found.has(dependency.dependent) ? known.stage : null;
      known.stage = earliest(dependency.stage, known.stage);
      found.set(dependency.dependent, known);
      if (known.stage !== before) queue.push({ spec: dependency.dependent, replica: "all", stage: known.stage });
    }
  }
  return specs.flatMap(({ name }) => {
    const follower = found.get(name);
    const begins = own.get(name);
    if (follower === undefined || (begins !== undefined && earliest(begins, follower.stage) === begins)) return [];
    return [{ service: name, stage: follower.stage, because: [...follower.because] }];
  });
}

function earliest(stage: Stage, other: Stage | undefined): Stage {
  return other === undefined || ORDER.indexOf(stage) <= ORDER.indexOf(other) ? stage : other;
}

function concerns({ replica: meant }: Dependency, changed: number | "all"): boolean {
  return meant === "all" || changed === "all" || meant === changed;
}

/** The attributes that may get another value when a service begins again at a stage. */
function changingAttributes(spec: ServiceSpec | undefined, stage: Stage): ReadonlySet<string> {
  const outputs = spec?.outputs.map(({ name }) => name) ?? [];
  if (stage === "verify") return new Set();
  if (stage === "execute") return new Set(outputs);
  const declared = Object.keys(spec?.attributes ?? {});
  const machine = stage === "boot" ? [] : BUILT_IN_ATTRIBUTES.filter((name) => !NUMBERS.includes(name));
  return new Set([...outputs, ...declared, ...machine]);
}
