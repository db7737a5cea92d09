/** Loads a launch plan's file: returns the compiled plan, or every mistake in it. */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { userHome } from "../model/environment.js";
import { checkDrivers, type DriverLookup, type LoadedDrivers } from "./check/checkDrivers.js";
import { checkImages } from "./check/checkImages.js";
import { checkHosts } from "./check/checkHosts.js";
import { checkFiles } from "./check/checkFiles.js";
import { checkInputs } from "./check/checkInputs.js";
import { checkReferences } from "./check/checkReferences.js";
import { checkReports } from "./check/checkReports.js";
import { checkServices } from "./check/checkServices.js";
import { compile } from "./compile/compile.js";
import { makeDraft, type Draft } from "./draft/draft.js";
import { mergeGiven, NOTHING_GIVEN, renameGiven, type Given } from "./launchPlan/given.js";
import type { LaunchPlan } from "./launchPlan/launchPlan.js";
import { Located } from "./yaml/located.js";
import { PlanError, type Mistake } from "./yaml/mistakes.js";
import { readSource } from "./yaml/readSource.js";

export interface LoadOptions {
  /** The directory that `~` stands for. Default: the home directory in the computer's user database. */
  readonly home?: string;
  /** Finds drivers, to check their keys and to apply their SSH defaults. Without it, both are skipped. */
  readonly driverDefinition?: DriverLookup;
  /** Replicas and inputs that the operator gives on the command line. */
  readonly given?: Given;
  /**
   * Values given earlier, for a run that continues with a changed plan. Values that the plan does not know any more are
   * ignored.
   */
  readonly givenBefore?: Given;
}

/** The file name of a launch plan in a folder. */
const PLAN_IN_FOLDER = "launch.yaml";

/**
 * Reads, checks and compiles a launch plan. `file` may also be a folder with a `launch.yaml`. Needs no network and
 * starts nothing. Throws `PlanError` with every mistake of the plan, its level files and the programs that they name.
 */
export async function loadPlan(file: string, options: LoadOptions = {}): Promise<LaunchPlan> {
  const { draft, definitions, given } = await loadDraft(file, options);
  return { ...compile(draft, definitions), given };
}

/** Reads and checks a launch plan without compiling it. Throws like `loadPlan`. */
export async function loadDraft(
  file: string,
  options: LoadOptions,
): Promise<{ readonly draft: Draft; readonly given: Given } & Pick<LoadedDrivers, "definitions">> {
  const { source, mistakes } = readSource(planFile(file), "the plan");
  if (source === null) throw new PlanError(mistakes);
  if (source.data === null)
    throw new PlanError([
      ...mistakes,
      source.mistakeBetween([0, 1], "the plan is empty: it needs at least the keys plan: and levels:"),
    ]);
  const { home = userHome({}) } = options;
  const given = givenIn(options, Located.root(source), home);
  const draft = makeDraft(Located.root(source), mistakes, home, given);
  const drivers: LoadedDrivers =
    options.driverDefinition === undefined
      ? { mistakes: [], definitions: new Map() }
      : await checkDrivers(draft, options.driverDefinition);
  const all = [
    ...mistakes,
    ...drivers.mistakes,
    ...oncePerPlace([
      ...checkImages(draft, drivers.definitions),
      ...checkServices(draft),
      ...checkFiles(draft),
      ...checkHosts(draft),
      ...checkReports(draft),
      ...checkReferences(draft),
      ...checkInputs(draft, options.given),
    ]),
  ];
  if (all.length > 0)
    throw new PlanError([
      ...all.filter(({ file }) => file === source.path),
      ...all.filter(({ file }) => file !== source.path),
    ]);
  return { draft, given, definitions: drivers.definitions };
}

function givenIn({ given = NOTHING_GIVEN, givenBefore }: LoadOptions, plan: Located, home: string): Given {
  return givenBefore === undefined
    ? given
    : mergeGiven(renameGiven(givenBefore, formerNames(makeDraft(plan, [], home))), given);
}

/** Former names by new name, except for former names that another service has now. */
function formerNames({ services }: Draft): Map<string, string> {
  return new Map(
    [...services].flatMap(([name, { own }]) => {
      const was = own.get("was")?.text ?? null;
      return was === null || services.has(was) ? [] : [[name, was] as const];
    }),
  );
}

function planFile(file: string): string {
  const path = resolve(file);
  const inside = join(path, PLAN_IN_FOLDER);
  return isKind(path, "folder") && isKind(inside, "file") ? inside : path;
}

function isKind(path: string, kind: "file" | "folder"): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && (kind === "file" ? stat.isFile() : stat.isDirectory());
}

/** A mistake in the defaults or in an anchor affects every service that uses it. Keeps one mistake per place. */
function oncePerPlace(mistakes: readonly Mistake[]): Mistake[] {
  const first = new Map<string, Mistake>();
  for (const mistake of mistakes) {
    const sentence = mistake.message.replace(/"[^"]*"/g, '""');
    const key = JSON.stringify([mistake.file, mistake.line, mistake.column, sentence]);
    if (!first.has(key)) first.set(key, mistake);
  }
  return [...first.values()];
}
