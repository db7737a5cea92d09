/** Compares what two versions of a plan say beside their services. */
import { isDeepStrictEqual } from "node:util";

import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";

/** Compared elsewhere, or no setting: where the file is, and what was given on the command line. */
const ELSEWHERE: readonly (keyof LaunchPlan)[] = [
  "file",
  "dir",
  "levels",
  "variables",
  "environment",
  "environmentSources",
  "given",
  "clouds",
];

/**
 * The differences, for people: `concurrency: 100 → 50`. Options of clouds may come from secret variables, so no value of
 * theirs is shown.
 */
export function changedSettings(before: LaunchPlan, after: LaunchPlan): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof LaunchPlan)[];
  const changed = keys.filter((key) => !ELSEWHERE.includes(key) && !isDeepStrictEqual(before[key], after[key]));
  const clouds = [...new Set([...Object.keys(before.clouds), ...Object.keys(after.clouds)])].filter(
    (name) => !isDeepStrictEqual(before.clouds[name], after.clouds[name]),
  );
  return [
    ...changed.map((key) => words(key, before[key], after[key])),
    ...clouds.map((name) => {
      const change = !(name in before.clouds) ? "new" : !(name in after.clouds) ? "removed" : "changed";
      return `cloud ${name}: ${change}`;
    }),
    ...changedLevels(before, after),
  ];
}

function changedLevels(before: LaunchPlan, after: LaunchPlan): string[] {
  const [old, fresh] = [before, after].map(({ levels }) => levels.map(({ name }) => name).join(", "));
  return old === fresh ? [] : [`levels: ${old} → ${fresh}`];
}

function words(key: string, before: unknown, after: unknown): string {
  const [old, fresh] = [before, after].map(shown);
  const known = old !== null && fresh !== null && `${old}${fresh}`.length <= 100;
  return known ? `${key}: ${old} → ${fresh}` : `${key}: changed`;
}

function shown(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return "none";
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? `${value}` : null;
}
