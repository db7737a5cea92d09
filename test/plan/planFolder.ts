/** Folders with a plan in them, for tests of everything that reads plans. */
import { afterAll } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadPlan, type LoadOptions } from "../../src/plan/load.js";
import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import { PlanError } from "../../src/plan/yaml/mistakes.js";

const root = mkdtempSync(join(tmpdir(), "bootlevel-plans-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Writes files into a new folder, beside a script `ok.sh`; returns the folder. */
export function planFolder(files: Readonly<Record<string, string | Uint8Array>>, name = "plan"): string {
  const folder = join(mkdtempSync(join(root, "p-")), name);
  for (const [path, text] of Object.entries({ "ok.sh": "#!/bin/sh\n", ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Loads a plan from text, with more files beside it. */
export async function load(
  text: string,
  files: Readonly<Record<string, string>> = {},
  options: LoadOptions = {},
): Promise<LaunchPlan> {
  return loadPlan(join(planFolder({ ...files, "plan.yaml": text }), "plan.yaml"), options);
}

/** The mistakes of a plan, as sentences with their suggestion; [] if it loads. */
export async function mistakesOf(
  text: string,
  files: Readonly<Record<string, string>> = {},
  options: LoadOptions = {},
): Promise<string[]> {
  return sentences(load(text, files, options));
}

export async function sentences(work: Promise<unknown>): Promise<string[]> {
  return (await planError(work)).mistakes.map(
    ({ line, message, suggestion }) => `${line}: ${message}${suggestion === null ? "" : ` -> ${suggestion}`}`,
  );
}

/** The error that the work fails with; throws if it succeeds or fails otherwise. */
export async function planError(work: Promise<unknown>): Promise<PlanError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof PlanError) return error;
  throw error instanceof Error ? error : new Error("the plan has no mistakes");
}
