/** The faults of a rehearsal: a YAML file with keys of a simulated cloud. */
import { resolve } from "node:path";

import sim from "../../drivers/sim/simDriver.js";
import { isRecord, Located } from "../../plan/yaml/located.js";
import { PlanError } from "../../plan/yaml/mistakes.js";
import { checkDriverSchema } from "../../plan/schema/schema.js";
import { REALISTIC, type SimOptions } from "./fittingDurations.js";
import { readSource } from "../../plan/yaml/readSource.js";

/**
 * Reads a faults file. Durations that it does not set are realistic.
 * @throws PlanError with all mistakes and their places.
 */
export function readFaults(file: string): SimOptions {
  const { source, mistakes } = readSource(resolve(file), "the faults file");
  if (source === null) throw new PlanError(mistakes);
  const root = Located.root(source);
  const options = root.value ?? {};
  if (!isRecord(options))
    throw new PlanError([
      root.mistake("a faults file is a map of the keys of a simulated cloud, such as launch: { refuse: 0.05 }"),
    ]);
  const found = [...mistakes, ...checkDriverSchema(root, options, sim.cloudSchema), ...meaninglessKeys(root)];
  if (found.length > 0) throw new PlanError(found);
  return withRealisticDurations(options);
}

/** Keys that the schema allows in a plan but that have no meaning here. */
function meaninglessKeys(root: Located) {
  const seed = root
    .get("seed")
    ?.mistake("remove this key: each rehearsal gets its own seed; --seed sets them all", null, "key");
  const file = root
    .get("file")
    ?.mistake("remove this key: each rehearsal uses its own cloud, which is deleted afterwards", null, "key");
  const references = root
    .strings()
    .filter(({ value }) => String(value).includes("${"))
    .map((place) => place.mistake("a faults file cannot contain references; write the value itself"));
  return [seed, file, ...references].filter((mistake) => mistake !== undefined);
}

function withRealisticDurations(options: SimOptions): SimOptions {
  const { launch, programs } = options as { launch?: SimOptions; programs?: Readonly<Record<string, SimOptions>> };
  const steps = Object.entries(REALISTIC.programs).map(([step, usual]) => [step, { ...usual, ...programs?.[step] }]);
  return { ...options, launch: { ...REALISTIC.launch, ...launch }, programs: Object.fromEntries(steps) as SimOptions };
}
