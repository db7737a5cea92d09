/**
 * Compiles a shell line with references. Each reference becomes an environment variable that the line expands, so the
 * shell never parses a value.
 */
import type { Reference, Template } from "../../plan/launchPlan/launchPlan.js";
import { ShellQuoting, type Quoting } from "./shellQuoting.js";

export interface CommandLine {
  /** The line for `sh -c`. */
  readonly line: string;
  /** The variables that it expands, with the reference behind each. */
  readonly variables: ReadonlyMap<string, Reference>;
}

/**
 * Compiles a line so that each value arrives as one word, wherever its reference is: bare, in double or single quotes,
 * in a substitution or in a here-document.
 */
export function compileCommandLine(template: Template): CommandLine {
  const variables = new Map<string, Reference>();
  const shell = new ShellQuoting();
  let line = "";
  for (const part of template) {
    if (typeof part === "string") {
      shell.read(part);
      line += part;
    } else {
      const name = `BOOTLEVEL_VALUE_${variables.size + 1}`;
      variables.set(name, part);
      line += expansion(name, shell.quoting);
      shell.readValue();
    }
  }
  return { line, variables };
}

function expansion(name: string, quoting: Quoting): string {
  switch (quoting) {
    case "plain":
      return `"\${${name}}"`;
    case "double":
    case "verbatim":
      return `\${${name}}`;
    case "single":
      return `'"\${${name}}"'`;
  }
}
