/** Resolves a plan's variables and the environment variables that its references read. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Environment } from "../../model/environment.js";
import { drawExcerpt } from "../yaml/excerpt.js";
import type { LaunchPlan, SourcePosition, VariableSpec } from "../launchPlan/launchPlan.js";
import { Located } from "../yaml/located.js";
import { PlanError, type Mistake } from "../yaml/mistakes.js";
import { fileMistake } from "../yaml/source.js";
import { suggest } from "../../text/suggest.js";
import { readSource } from "../yaml/readSource.js";

export interface VariableSources {
  /** `--var name=value`. */
  readonly given: Readonly<Record<string, string>>;
  /** YAML files of names and values. A later file overrides an earlier one. */
  readonly varFiles: readonly string[];
  /** The environment variables that may be read. */
  readonly env: Environment;
  /** Values that the run already has. They override the plan's defaults. */
  readonly kept?: {
    readonly variables: ReadonlyMap<string, string>;
    readonly environment: ReadonlyMap<string, string>;
  };
}

export interface ResolvedVariables {
  readonly values: Map<
    string,
    { readonly value: string; readonly secret: boolean; /** From the plan's default. */ readonly isDefault?: boolean }
  >;
  /** The environment variables that references read. */
  readonly environment: Map<string, string>;
}

/**
 * Resolves each variable. The first source that has a value wins: `given`, the var files from last to first, the
 * environment variable that the variable names, the value that the run already has, the default. An empty string is a
 * value. Throws `PlanError` with every variable without a value, every unknown name, and every unset environment
 * variable that a reference needs.
 */
export function resolveVariables(plan: LaunchPlan, sources: VariableSources): ResolvedVariables {
  const mistakes: Mistake[] = [];
  const known = new Map(plan.variables.map((variable) => [variable.name, variable]));
  const written = new Map<string, string>();
  for (const file of sources.varFiles) readVarFile(resolve(file), known, written, mistakes);
  for (const [name, value] of Object.entries(sources.given)) {
    const problem = known.has(name) ? valueProblem(name, value) : unknownVariable(name, known);
    if (problem === null) written.set(name, value);
    else mistakes.push({ ...fileMistake(`--var ${name}`, problem.message), suggestion: problem.suggestion });
  }
  const values: ResolvedVariables["values"] = new Map();
  for (const variable of plan.variables) {
    const set = written.get(variable.name) ?? setOutside(variable, sources);
    const value = set ?? defaultOf(variable, mistakes);
    if (value === null) continue;
    const problem = valueProblem(variable.name, value);
    if (problem !== null && !written.has(variable.name))
      mistakes.push(withoutSecret(mistakeAt(variable.source, variable.name, problem.message), variable));
    values.set(variable.name, { value, secret: variable.secret, ...(set === null && { isDefault: true }) });
  }
  const environment = readEnvironment(plan, sources, mistakes);
  if (mistakes.length > 0) throw new PlanError(mistakes);
  return { values, environment };
}

const UNREADABLE = "invalid YAML: put values with special characters in quotes";

type Problem = { readonly message: string; readonly suggestion: string | null };

function readVarFile(
  file: string,
  known: ReadonlyMap<string, VariableSpec>,
  written: Map<string, string>,
  mistakes: Mistake[],
): void {
  const { source, mistakes: broken } = readSource(file, "the file", { pipes: true });
  // Neither the line nor the parser's message is shown: both may contain a secret. A name that stands twice is none.
  mistakes.push(
    ...broken.map((mistake) =>
      mistake.line === 0
        ? mistake
        : {
            ...mistake,
            message: mistake.message.startsWith("duplicate key ") ? mistake.message : UNREADABLE,
            excerpt: "",
          },
    ),
  );
  if (source === null) return;
  const root = Located.root(source);
  if (root.value !== null && (typeof root.value !== "object" || Array.isArray(root.value))) {
    mistakes.push({
      ...root.mistake("a variables file must be a map of names and values, such as greeting: Hello"),
      excerpt: "",
    });
    return;
  }
  for (const [, place] of root.entries()) source.hide(place.path);
  for (const [name, place] of root.entries()) {
    const problem = known.has(name) ? valueProblem(name, place.text) : unknownVariable(name, known);
    if (problem === null) written.set(name, place.text ?? "");
    else mistakes.push(place.mistake(problem.message, problem.suggestion, "key"));
  }
}

function unknownVariable(name: string, known: ReadonlyMap<string, VariableSpec>): Problem {
  const names = [...known.keys()];
  const near = suggest(name, names);
  const list = names.length === 0 ? ": the plan has no variables" : `: the plan's variables are ${names.join(", ")}`;
  return { message: `unknown variable "${name}"${near === null ? list : ""}`, suggestion: near };
}

function valueProblem(name: string, value: string | null): Problem | null {
  if (value === null)
    return {
      message: `the value of "${name}" must be text, a number, true or false: write "" for an empty value`,
      suggestion: null,
    };
  return value.includes("\0")
    ? { message: `the value of "${name}" contains a NUL byte, which cannot be passed to a program`, suggestion: null }
    : null;
}

/** The value in the environment, or the one that the run has; null without one. */
function setOutside({ name, env: variable }: VariableSpec, { env, kept }: VariableSources): string | null {
  const fromEnvironment = variable === null ? undefined : readEnv(env, variable);
  return fromEnvironment ?? kept?.variables.get(name) ?? null;
}

function defaultOf(variable: VariableSpec, mistakes: Mistake[]): string | null {
  const { name, source } = variable;
  if (variable.default !== null) return variable.default;
  const fromEnv = variable.env === null ? "" : `, or set ${variable.env} in the environment`;
  const words = variable.description === "" ? "" : ` (${variable.description})`;
  const remedy = variable.secret
    ? `use --var-file${fromEnv}`
    : `use --var ${name}=…${fromEnv === "" ? " or --var-file" : fromEnv}`;
  mistakes.push(withoutSecret(mistakeAt(source, name, `variable "${name}"${words} has no value: ${remedy}`), variable));
  return null;
}

function readEnvironment(plan: LaunchPlan, { env, kept }: VariableSources, mistakes: Mistake[]): Map<string, string> {
  const environment = new Map<string, string>();
  for (const [index, name] of plan.environment.entries()) {
    const value = readEnv(env, name) ?? kept?.environment.get(name);
    if (value !== undefined) environment.set(name, value);
    else
      mistakes.push(
        mistakeAt(
          plan.environmentSources[index] ?? { file: plan.file, line: 0, column: 0 },
          `\${env.${name}}`,
          `environment variable ${name} is not set, but the plan refers to it: set it`,
        ),
      );
  }
  return environment;
}

function readEnv(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

/** Removes the excerpt: a stored plan has no secret defaults, but its file may still contain them. */
function withoutSecret(mistake: Mistake, { secret }: VariableSpec): Mistake {
  return secret && mistake.excerpt.includes("default") ? { ...mistake, excerpt: "" } : mistake;
}

/**
 * A mistake at a position of the compiled plan. Shows the line only if the plan's file still has `text` there, as when
 * it was compiled.
 */
export function mistakeAt(source: SourcePosition, text: string, message: string): Mistake {
  const { file, line, column } = source;
  const shown = readLine(file, line);
  const excerpt = shown.startsWith(text, column - 1) ? drawExcerpt(shown, line, column, text.length) : "";
  return { file, line, column, length: text.length, message, suggestion: null, excerpt };
}

function readLine(file: string, line: number): string {
  try {
    return (
      readFileSync(file, "utf8")
        .replace(/^\ufeff/, "")
        .split("\n")[line - 1] ?? ""
    );
  } catch {
    // The file of a stored plan may be gone. The position is reported anyway.
    return "";
  }
}
