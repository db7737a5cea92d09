/** The values of a plan's variables: where a caller's come from, and how a run keeps them. */
import type { LaunchPlan } from "../plan/launchPlan/launchPlan.js";
import type { ResolvedVariables, VariableSources } from "../plan/references/variables.js";
import type { VariableRecord } from "../state/contract/records.js";
import type { VariableOptions } from "./options.js";

/**
 * The values of a plan's variables, as they are stored with its run. @throws PlanError naming each one that has none.
 */
export async function resolveValues(plan: LaunchPlan, options: VariableOptions): Promise<VariableRecord[]> {
  const { resolveVariables } = await import("../plan/references/variables.js");
  return variableRecords(resolveVariables(plan, sources(options)));
}

/** Where values are looked for: what the caller gave, then the environment that may be read. */
export function sources(options: VariableOptions): VariableSources {
  return { given: options.variables ?? {}, varFiles: options.varFiles ?? [], env: options.env ?? {} };
}

/** Values as they are stored. */
export function variableRecords({ values, environment }: ResolvedVariables): VariableRecord[] {
  return [
    ...[...values].map(([name, { value, secret }]) => ({ kind: "variable" as const, name, value, secret })),
    ...[...environment].map(([name, value]) => ({ kind: "environment" as const, name, value, secret: false })),
  ];
}

/** The values that a run has; one that its plan gave by default follows the plan. */
export function keptValues(before: readonly VariableRecord[], plan: LaunchPlan): NonNullable<VariableSources["kept"]> {
  const defaults = new Map(plan.variables.map((variable) => [variable.name, variable.default]));
  const pairs = (kind: VariableRecord["kind"]) =>
    before
      .filter((one) => one.kind === kind && !(kind === "variable" && defaults.get(one.name) === one.value))
      .map(({ name, value }) => [name, value] as const);
  return { variables: new Map(pairs("variable")), environment: new Map(pairs("environment")) };
}
