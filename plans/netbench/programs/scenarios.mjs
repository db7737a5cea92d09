/** All scenarios, in the default order. */
export const SCENARIOS = ["download", "upload", "roundtrip"];

/** Parses a list such as `download,roundtrip`; throws if a scenario is unknown. */
export function chosen(list) {
  const names = list
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.find((name) => !SCENARIOS.includes(name));
  if (unknown !== undefined) throw new Error(`there is no scenario "${unknown}": there are ${SCENARIOS.join(", ")}`);
  if (new Set(names).size !== names.length || names.length === 0)
    throw new Error("name at least one scenario, and each once");
  return names;
}

/** The whole number in an input or a variable; throws if it is outside the limits. */
export function whole(name, text, least, most) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Error(`${name} is "${text}", and not a whole number from ${least} to ${most}`);
  return value;
}

export const SIZE = { least: 1, most: 4 * 1024 * 1024 };

/** The settings that must be the same for all programs of a launch. */
export function settings({ SCENARIOS: names, DURATION_MS, PATIENCE_S }) {
  const durationMs = whole("duration_ms", DURATION_MS, 100, 3_600_000);
  const patienceS = whole("patience_s", PATIENCE_S, 1, 3600);
  // Servers reach a barrier while the previous scenario still runs.
  return { scenarios: chosen(names), durationMs, barrierS: Math.ceil(durationMs / 1000) + patienceS };
}
