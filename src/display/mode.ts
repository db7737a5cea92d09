/** How events are shown: redrawn in place, as one line each, or not at all. */
export type ReporterMode = "live" | "plain" | "silent";

export interface Appearance {
  readonly mode: ReporterMode;
  readonly color: boolean;
}

/**
 * Chooses how to show events on a stream: silent for JSON, live on a terminal with cursor movement, otherwise plain. A
 * terminal gets colours unless NO_COLOR is set and not empty (https://no-color.org). On CI even a terminal gets plain
 * lines, because they end in a log.
 */
export function chooseMode(options: {
  readonly stream: { readonly isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  readonly json: boolean;
}): Appearance {
  const { stream, env, json } = options;
  const capable = stream.isTTY === true && env["TERM"] !== "dumb";
  const color = capable && !isSet(env["NO_COLOR"]);
  if (json) return { mode: "silent", color };
  return capable && !isSet(env["CI"]) ? { mode: "live", color } : { mode: "plain", color };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
