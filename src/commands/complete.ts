/** Candidates for the word at the cursor of a shell. Never fails: without an answer there are no candidates. */
import { readOutputs } from "../library/outputs.js";
import { listRuns, runNames, showRun } from "../library/records.js";
import { ENVIRONMENT } from "./environment.js";
import { nameOf, optionsOf, positionalsOf, type CommandLine, type OptionWords } from "./commandWords.js";

/** One candidate, or the request to complete the names of files. */
export interface Candidate {
  readonly word: string;
  readonly describe: string;
}

/** Tells a shell's script to complete the names of files itself. No candidate begins so. */
export const FILES = ":files";

/** Options of every command. */
const COMMON: readonly OptionWords[] = [
  ["json", "Print one JSON document on stdout and nothing else"],
  ["help", "Show help"],
].map(([name = "", describe = ""]) => ({ name, describe, takesValue: false, repeatable: false, choices: [] }));

/** Commands that read the record, which terminated runs have, too. */
const ALSO_TERMINATED: ReadonlySet<string> = new Set([
  "analyze",
  "events",
  "history",
  "logs",
  "reports",
  "show",
  "output",
  "clean",
]);

/** Commands whose `name` is that of an output. */
const OUTPUT_COMMANDS: ReadonlySet<string> = new Set(["output", "set"]);

/** Options whose value is the name of a file or folder, a run, or a service. */
const FILE_OPTIONS: ReadonlySet<string> = new Set(["var-file", "plan", "prometheus", "svg", "faults", "to"]);
const RUN_OPTIONS: ReadonlySet<string> = new Set(["resume"]);
const SERVICE_OPTIONS: ReadonlySet<string> = new Set(["replace"]);

/**
 * @param words the words before the cursor, without the program's name
 * @param current the word at the cursor, up to the cursor
 */
export async function complete(
  commands: readonly CommandLine[],
  words: readonly string[],
  current: string,
): Promise<Candidate[]> {
  try {
    const found = await candidates(commands, words, current);
    return found.filter(({ word }) => word === FILES || word.startsWith(current));
  } catch {
    // A shell waits at its prompt: an error of the record has no place there.
    return [];
  }
}

async function candidates(
  commands: readonly CommandLine[],
  words: readonly string[],
  current: string,
): Promise<Candidate[]> {
  const place = words.findIndex((word) => !word.startsWith("-"));
  const command = commands.find((one) => nameOf(one) === words[place]);
  if (command === undefined) {
    if (place >= 0) return [];
    return current.startsWith("-")
      ? COMMON.map(asOption)
      : commands.map((one) => ({ word: nameOf(one), describe: one.describe }));
  }
  // What follows `--` is the machine's.
  if (words.includes("--")) return [];
  const options = [...optionsOf(command), ...COMMON];
  const before = readWords(options, words.slice(place + 1));
  if (before.open !== null) return valuesOf(before.open, before.given, nameOf(command));
  const [, name, typed] = /^--([a-z-]+)=(.*)$/s.exec(current) ?? [];
  const assigned = options.find((option) => option.name === name && option.takesValue);
  if (assigned !== undefined && typed !== undefined) {
    const values = await valuesOf(assigned, before.given, nameOf(command));
    return values.map((value) =>
      value.word === FILES ? value : { ...value, word: `--${assigned.name}=${value.word}` },
    );
  }
  if (current.startsWith("-"))
    return options.filter((option) => option.repeatable || !before.names.has(option.name)).map(asOption);
  return positionalValues(command, before.given);
}

interface WordsBefore {
  /** The option that the cursor's word is the value of, or null. */
  readonly open: OptionWords | null;
  /** Names of the options that are there. */
  readonly names: ReadonlySet<string>;
  /** The positional arguments. */
  readonly given: readonly string[];
}

function readWords(options: readonly OptionWords[], words: readonly string[]): WordsBefore {
  const names = new Set<string>();
  const given: string[] = [];
  let open: OptionWords | null = null;
  for (const word of words) {
    const [, name] = /^--([a-z-]+)/.exec(word) ?? [];
    if (open !== null) open = null;
    else if (name === undefined) {
      if (!word.startsWith("-")) given.push(word);
    } else {
      names.add(name);
      const option = options.find((one) => one.name === name);
      open = option?.takesValue === true && !word.includes("=") ? option : null;
    }
  }
  return { open, names, given };
}

function asOption({ name, describe }: OptionWords): Candidate {
  return { word: `--${name}`, describe };
}

async function valuesOf(option: OptionWords, given: readonly string[], command: string): Promise<Candidate[]> {
  if (option.choices.length > 0) return option.choices.map(bare);
  if (FILE_OPTIONS.has(option.name)) return [bare(FILES)];
  if (RUN_OPTIONS.has(option.name)) return runs(command);
  return SERVICE_OPTIONS.has(option.name) && given[0] !== undefined ? services(given[0]) : [];
}

async function positionalValues(command: CommandLine, given: readonly string[]): Promise<Candidate[]> {
  const positionals = positionalsOf(command);
  const last = positionals.at(-1);
  const positional = positionals[given.length] ?? (last?.repeatable === true ? last : undefined);
  if (positional === undefined) return [];
  if (positional.choices.length > 0) return positional.choices.map(bare);
  const unnamed = (found: Candidate[]) => found.filter(({ word }) => !given.includes(word));
  switch (positional.name) {
    case "plan":
      return [bare(FILES)];
    case "run":
      return unnamed(await runs(nameOf(command)));
    case "service":
      return given[0] === undefined ? [] : unnamed(await services(given[0]));
    case "name":
      return given[0] === undefined || !OUTPUT_COMMANDS.has(nameOf(command)) ? [] : outputs(given[0]);
    default:
      return [];
  }
}

async function runs(command: string): Promise<Candidate[]> {
  if (ALSO_TERMINATED.has(command)) return (await runNames(ENVIRONMENT)).map(bare);
  return (await listRuns(ENVIRONMENT)).map(({ name, state }) => ({ word: name, describe: state }));
}

/** Outputs, as `SERVICE.NAME`. */
async function outputs(run: string): Promise<Candidate[]> {
  const found = await readOutputs(run, ENVIRONMENT);
  return found.outputs.map(({ service, name, set, secret }) => ({
    word: `${service}.${name}`,
    describe: secret ? "secret" : set ? "" : "not set",
  }));
}

/** Services that have replicas, and the replicas. */
async function services(run: string): Promise<Candidate[]> {
  const { levels } = await showRun(run, ENVIRONMENT);
  const names = levels.flatMap((level) => level.services).map(({ name }) => name);
  const specs = names.flatMap((name) => /^(.+)-[0-9]+$/.exec(name)?.[1] ?? []);
  return [...new Set([...specs, ...names])].map(bare);
}

function bare(word: string): Candidate {
  return { word, describe: "" };
}
