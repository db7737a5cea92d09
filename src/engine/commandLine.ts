/**
 * A shell line with references: each becomes an environment variable that the line expands, so that a value is never parsed by the shell.
 */
import type { Reference, Template } from "../plan/launchPlan.js";

export interface CommandLine {
  /** The line for `sh -c`. */
  readonly line: string;
  /** The variables that it expands, and what each stands for. */
  readonly variables: ReadonlyMap<string, Reference>;
}

type Quoting = "none" | "double" | "single";

/**
 * Writes the line so that a value arrives as one word wherever the author put its reference: bare, in double quotes or in single quotes.
 * Inside `$(…)` within double quotes it may be split at blanks like any unquoted variable; it is data there too.
 */
export function compileCommandLine(template: Template): CommandLine {
  const variables = new Map<string, Reference>();
  let quoting: Quoting = "none";
  let line = "";
  for (const part of template) {
    if (typeof part === "string") {
      quoting = scan(part, quoting);
      line += part;
    } else {
      const name = `BOOTLEVEL_VALUE_${variables.size + 1}`;
      variables.set(name, part);
      line += expansion(name, quoting);
    }
  }
  return { line, variables };
}

function expansion(name: string, quoting: Quoting): string {
  switch (quoting) {
    case "none":
      return `"\${${name}}"`;
    case "double":
      return `\${${name}}`;
    case "single":
      return `'"\${${name}}"'`;
  }
}

/** Follows the shell's quotes through a piece of the line. */
function scan(text: string, from: Quoting): Quoting {
  let quoting = from;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === "\\" && quoting !== "single") index += 1;
    else if (character === '"' && quoting !== "single") quoting = quoting === "double" ? "none" : "double";
    else if (character === "'" && quoting !== "double") quoting = quoting === "single" ? "none" : "single";
  }
  return quoting;
}
