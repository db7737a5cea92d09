/** What a command accepts on its command line, read from its declaration for yargs: for suggestions and completion. */
import type { Argv } from "yargs";

/** A command's module, as far as its command line goes. */
export interface CommandLine {
  /** Such as `logs <run> [service]`. */
  readonly command: string;
  readonly describe: string;
  readonly builder: (yargs: never) => unknown;
}

export interface OptionWords {
  readonly name: string;
  readonly describe: string;
  readonly takesValue: boolean;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
}

export interface PositionalWords {
  readonly name: string;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
}

interface Declared {
  readonly type?: string;
  readonly array?: boolean;
  readonly choices?: readonly string[];
  readonly describe?: string;
}

export function nameOf({ command }: Pick<CommandLine, "command">): string {
  return command.split(" ", 1)[0] as string;
}

/** The options of a command in the order of its declaration, without those of every command. */
export function optionsOf(command: CommandLine): OptionWords[] {
  return declarations(command, "option").map(([name, { type, array = false, choices = [], describe = "" }]) => ({
    name,
    describe,
    takesValue: type !== "boolean",
    repeatable: array,
    choices,
  }));
}

/** The positional arguments of a command, in order. */
export function positionalsOf(command: CommandLine): PositionalWords[] {
  const declared = new Map(declarations(command, "positional"));
  return [...command.command.matchAll(/[<[]([a-z]+)(\.\.)?[>\]]/g)].map(([, name = "", more]) => ({
    name,
    repeatable: more !== undefined,
    choices: declared.get(name)?.choices ?? [],
  }));
}

/** A builder only chains calls, so a recording stand-in for yargs collects what it declares. */
function declarations({ builder }: CommandLine, wanted: "option" | "positional"): [string, Declared][] {
  const found: [string, Declared][] = [];
  const listener: unknown = new Proxy(
    {},
    {
      get: (_target, method) => (name: unknown, declared: unknown) => {
        if (method === wanted) found.push([String(name), declared as Declared]);
        return listener;
      },
    },
  );
  (builder as (yargs: Argv) => unknown)(listener as Argv);
  return found;
}
