/**
 * Checks a command line before yargs reads it. yargs takes some values for others without a word: `--dry-run=1` for
 * false, `--top 1e3` for 1000, `--yes.x` for `--yes`, an empty number for 0. Here, each value is what it says, or a
 * mistake.
 */
import type { Argv } from "yargs";

import { UsageError } from "./exitCodes.js";

/** An option as the builder of a command declares it. */
export interface KnownOption {
  /** Its name, as users write it. */
  readonly name: string;
  readonly type: "boolean" | "number" | "string";
  /** Whether it may be given several times. */
  readonly repeatable: boolean;
}

interface OptionSettings {
  readonly type?: "boolean" | "number" | "string";
  readonly array?: boolean;
  readonly alias?: string;
}

/** Options of every command. */
const GLOBAL: readonly (readonly [string, OptionSettings])[] = [
  ["json", { type: "boolean" }],
  ["help", { type: "boolean", alias: "h" }],
  ["version", { type: "boolean", alias: "v" }],
];

/** The options of a command and the global ones, by each spelling that yargs accepts. */
export function optionsOf(builder: ((yargs: Argv) => unknown) | undefined): Map<string, KnownOption> {
  const declared = [...GLOBAL];
  // yargs keeps options private. A builder only chains calls, so a recording stand-in collects them.
  const listener: unknown = new Proxy(
    {},
    {
      get: (_target, method) => (name: string, settings: OptionSettings) => {
        if (method === "option") declared.push([name, settings]);
        return listener;
      },
    },
  );
  builder?.(listener as Argv);
  const known = new Map<string, KnownOption>();
  for (const [name, { type = "string", array = false, alias }] of declared) {
    const camel = name.replace(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
    for (const spelling of [name, camel, ...(alias === undefined ? [] : [alias])])
      known.set(spelling, { name, type, repeatable: array });
  }
  return known;
}

/**
 * Checks the words and returns them in a form that yargs reads as meant: `--dry-run=yes` as `--dry-run`. Unknown options
 * and missing values are left to yargs.
 * @throws UsageError
 */
export function checkedWords(words: readonly string[], options: ReadonlyMap<string, KnownOption>): string[] {
  const end = words.indexOf("--");
  const own = end === -1 ? words : words.slice(0, end);
  const given = new Set<string>();
  const checked: string[] = [];
  for (let place = 0; place < own.length; place += 1) {
    const word = own[place] as string;
    if (word === "")
      throw new UsageError("an argument is empty: leave it out, or check the variable that it comes from");
    const [, dashes = "", name = "", equals] = /^(--?)([^=]+)(=[^]*)?$/.exec(word) ?? [];
    const option = options.get(name);
    if (dashes === "" || option === undefined) {
      checkUnknown(dashes, name, options);
      checked.push(word);
      continue;
    }
    if (option.type === "boolean") {
      checked.push(...booleanWords(option, equals?.slice(1)));
      continue;
    }
    const value = equals === undefined ? own[(place += 1)] : equals.slice(1);
    if (value !== undefined) checkValue(option, value, given);
    checked.push(word, ...(equals === undefined && value !== undefined ? [value] : []));
  }
  return end === -1 ? checked : [...checked, ...words.slice(end)];
}

const YES = new Set(["true", "1", "yes"]);
const NO = new Set(["false", "0", "no"]);

function booleanWords({ name }: KnownOption, value: string | undefined): string[] {
  if (value === undefined) return [`--${name}`];
  if (YES.has(value.toLowerCase())) return [`--${name}`];
  if (NO.has(value.toLowerCase())) return [`--no-${name}`];
  throw new UsageError(`--${name} is either true or false, not "${value}": write --${name} or --no-${name}`);
}

function checkValue({ name, type, repeatable }: KnownOption, value: string, given: Set<string>): void {
  if (value === "") throw new UsageError(`--${name} has an empty value`);
  if (type === "number" && !/^[0-9]{1,15}$/.test(value))
    throw new UsageError(`--${name} must be a whole number, not "${value}"`);
  if (given.has(name) && !repeatable) throw new UsageError(`--${name} can be given only once`);
  given.add(name);
}

/** Words that yargs would take for a known option with another value. */
function checkUnknown(dashes: string, name: string, options: ReadonlyMap<string, KnownOption>): void {
  if (dashes === "--" && name.startsWith("no-")) {
    const negated = options.get(name.slice(3));
    if (negated !== undefined && negated.type !== "boolean")
      throw new UsageError(`--${name}: --${negated.name} takes a value and cannot be negated`);
  }
  if (dashes !== "-" || name.length < 2) return;
  // `-ay` is `-a -y`; in `-y5`, the 5 would be a value.
  const letters = [...name];
  if (options.get(letters[0] as string)?.type !== "boolean") return;
  const wrong = letters.find((letter) => options.get(letter)?.type !== "boolean");
  if (wrong !== undefined) throw new UsageError(`-${name}: there is no option -${wrong} to combine with the others`);
}
