/** The faults that a plan is rehearsed with: a YAML file of a simulated cloud's keys. */
import { resolve } from "node:path";

import sim from "../../drivers/sim/simDriver.js";
import { isRecord, Located } from "../../plan/yaml/located.js";
import { PlanError } from "../../plan/yaml/mistakes.js";
import { checkDriverSchema } from "../../plan/schema/schema.js";
import type { SimOptions } from "./rehearsalPlan.js";
import { readSource } from "../../plan/yaml/readSource.js";

/** A cloud as clouds are, in which nothing goes wrong. */
export const USUAL = {
  launch: { latency: { p50: "40s", p95: "90s" } },
  programs: { boot: { duration: { p50: "30s", p95: "2m" } }, ready: { duration: "1s" }, terminate: { duration: "1s" } },
};

/**
 * Reads a file of faults. How long launches and programs take is as usual where the file does not say it.
 * @throws PlanError with every mistake in it, each with its place.
 */
export function readFaults(file: string): SimOptions {
  const { source, mistakes } = readSource(resolve(file), "the file of faults");
  if (source === null) throw new PlanError(mistakes);
  const root = Located.root(source);
  const options = root.value ?? {};
  if (!isRecord(options))
    throw new PlanError([
      root.mistake("a file of faults is a map of the keys of a simulated cloud, such as launch: { refuse: 0.05 }"),
    ]);
  const found = [...mistakes, ...checkDriverSchema(root, options, sim.cloudSchema), ...strangers(root)];
  if (found.length > 0) throw new PlanError(found);
  return withUsual(options);
}

/** What the schema allows in a plan and what means nothing here. */
function strangers(root: Located) {
  const seed = root
    .get("seed")
    ?.mistake("each rehearsal has luck of its own: give --seed to choose them all", null, "key");
  const file = root
    .get("file")
    ?.mistake("each rehearsal has a cloud of its own, which is removed afterwards: leave this key out", null, "key");
  const references = root
    .strings()
    .filter(({ value }) => String(value).includes("${"))
    .map((place) => place.mistake("a file of faults holds no references: write the value itself"));
  return [seed, file, ...references].filter((mistake) => mistake !== undefined);
}

function withUsual(options: SimOptions): SimOptions {
  const { launch, programs } = options as { launch?: SimOptions; programs?: Readonly<Record<string, SimOptions>> };
  const steps = Object.entries(USUAL.programs).map(([step, usual]) => [step, { ...usual, ...programs?.[step] }]);
  return { ...options, launch: { ...USUAL.launch, ...launch }, programs: Object.fromEntries(steps) as SimOptions };
}
