/** The values of a plan's variables: their sources, and how a run stores them. */
import type { LaunchPlan } from "../plan/launchPlan/launchPlan.js";
import type { ResolvedVariables, VariableSources } from "../plan/references/variables.js";
import type { VariableRecord } from "../state/contract/records.js";
import type { VariableOptions } from "./options.js";

/**
 * Resolves the values of a plan's variables, in the form that is stored with its run.
 * @throws PlanError naming each variable without a value.
 */
export async function resolveValues(plan: LaunchPlan, options: VariableOptions): Promise<VariableRecord[]> {
  const { resolveVariables } = await import("../plan/references/variables.js");
  return variableRecords(resolveVariables(plan, sources(options)));
}

/** The sources of values: what the caller gave, then the readable environment. */
export function sources(options: VariableOptions): VariableSources {
  return { given: options.variables ?? {}, varFiles: options.varFiles ?? [], env: options.env ?? {} };
}

/** Converts values to the form that is stored. */
export function variableRecords({ values, environment }: ResolvedVariables): VariableRecord[] {
  return [
    ...[...values].map(([name, value]) => ({ kind: "variable" as const, name, ...value })),
    ...[...environment].map(([name, value]) => ({ kind: "environment" as const, name, value, secret: false })),
  ];
}

/** The values to keep from a run. A value that came from a default of its plan is not kept: it follows the new plan. */
export function keptValues(before: readonly VariableRecord[], plan: LaunchPlan): NonNullable<VariableSources["kept"]> {
  const defaults = new Map(plan.variables.map((variable) => [variable.name, variable.default]));
  const pairs = (kind: VariableRecord["kind"]) =>
    before
      .filter((one) => one.kind === kind && one.isDefault !== true)
      .filter((one) => !(kind === "variable" && defaults.get(one.name) === one.value))
      .map(({ name, value }) => [name, value] as const);
  return { variables: new Map(pairs("variable")), environment: new Map(pairs("environment")) };
}

/** Does `work`. Its error does not contain the values of secret variables. */
export async function withoutSecrets<T>(variables: readonly VariableRecord[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const [{ Redactor }, { redactError }] = await Promise.all([
      import("../secrets/redactor.js"),
      import("../secrets/redactError.js"),
    ]);
    throw redactError(error, new Redactor(variables.filter(({ secret }) => secret).map(({ value }) => value)));
  }
}
