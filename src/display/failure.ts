import type { ServiceFailure, StepName } from "../model/events.js";
import { createStyles, paintLine, type Segment, type Styles } from "./style.js";
import { outputLines, stripControl, truncate, wrap } from "./terminalText.js";
import { groupByCause, type FailureGroup } from "../model/failures.js";
import { serviceNames } from "./serviceNames.js";
import { plural } from "./stateNames.js";

export interface FailureOptions {
  readonly columns: number;
  readonly color: boolean;
}

const LAST_LINES = 15;
/** A longer last line is cut to this many screen lines; the log has all of it. */
const LINES_OF_ONE = 3;
const IN_FULL = 3;
/** Most one-line failures, so that the first ones do not scroll away; `bootlevel status` lists all. */
const BRIEF = 40;
const LABEL = 9;
/** Narrower screens are treated as this wide. */
const NARROWEST = 20;

/** What failed, by step, after the service's name: "web-2 did not …". */
const NOT_DONE: Readonly<Record<StepName, string>> = {
  resolve: "could not be prepared",
  launch: "got no machine",
  connect: "could not be reached",
  prepare: "did not finish cloud-init",
  setup: "did not install its packages and recipes",
  boot: "did not boot",
  ready: "did not become ready",
  execute: "did not execute",
  report: "produced no report",
  terminate: "did not terminate",
  destroy: "still has its machine",
};

/**
 * One failure on one screen: where, what, why (the last lines of the program), the full log, and what to do next. No
 * final line break. Only the path of the log may be wider than `columns`, so that it can be copied.
 */
export function formatFailure(failure: ServiceFailure, options: FailureOptions): string {
  const styles = createStyles(options.color);
  const columns = Math.max(NARROWEST, options.columns);
  const head: Segment[] = [["✖ ", "red"], [stripControl(failure.service), "bold"], ` ${NOT_DONE[failure.step]}`];
  return [
    paintLine(head, columns, styles),
    ...labelled("where", [whereItHappened(failure)], columns, styles),
    ...labelled("what", [whatHappened(failure)], columns, styles),
    ...whyLines(failure, columns, styles),
    ...(failure.log === null ? [] : [`  ${styles.dim("log".padEnd(LABEL - 2))}${stripControl(failure.log)}`]),
    ...labelled("next", outputLines(failure.remedy), columns, styles),
  ].join("\n");
}

/**
 * Many failures, causes first: the first three causes in full, the next ones on one line each, the others counted. What
 * followed from a cause is one line after it.
 * @param failures in the order in which they happened
 */
export function formatFailures(failures: readonly ServiceFailure[], options: FailureOptions): string {
  const styles = createStyles(options.color);
  const columns = Math.max(NARROWEST, options.columns);
  const groups = groupByCause(failures);
  const followers = (group: FailureGroup<ServiceFailure>) =>
    followerLines(group).map((text) => paintLine([["✖ ", "red"], text], columns, styles));
  const full = groups
    .slice(0, IN_FULL)
    .map((group) => [formatFailure(group.root, options), ...followers(group)].join("\n"));
  const rest = groups.slice(IN_FULL, IN_FULL + BRIEF);
  const brief = rest.flatMap((group) => [briefLine(group.root, columns, styles), ...followers(group)]);
  const more = groups.slice(IN_FULL + BRIEF).reduce((sum, group) => sum + 1 + group.followers.length, 0);
  if (more > 0) brief.push(paintLine([[`… and ${plural(more, "more failure")}`, "dim"]], columns, styles));
  return [...full, ...(brief.length > 0 ? [brief.join("\n")] : [])].join("\n\n");
}

/** `w-1..w-3 failed because z failed`: a line for each cause, in the order of the followers. */
export function followerLines({ root, followers }: FailureGroup<Pick<ServiceFailure, "service" | "cause">>): string[] {
  const byCause = new Map<string, string[]>();
  for (const { service, cause } of followers) {
    const direct = cause ?? root.service;
    byCause.set(direct, [...(byCause.get(direct) ?? []), service]);
  }
  return [...byCause].map(([cause, names]) => `${serviceNames(names)} failed because ${stripControl(cause)} failed`);
}

function briefLine(failure: ServiceFailure, columns: number, styles: Styles): string {
  return paintLine(
    [["✖ ", "red"], [stripControl(failure.service), "bold"], ` ${NOT_DONE[failure.step]}: ${whatHappened(failure)}`],
    columns,
    styles,
  );
}

/** The failure in one sentence, with the exit code unless the message contains it, and with its cause. */
export function whatHappened(failure: Pick<ServiceFailure, "message" | "exitCode" | "cause">): string {
  const message = stripControl(failure.message);
  if (message === "") return "";
  const known = failure.exitCode === null || new RegExp(`\\b${failure.exitCode}\\b`).test(message);
  const notes = [
    ...(known ? [] : [`exit code ${failure.exitCode}`]),
    ...(failure.cause === null ? [] : [`cause: ${stripControl(failure.cause)}`]),
  ];
  return notes.length === 0 ? message : `${message} (${notes.join(", ")})`;
}

function whereItHappened(failure: ServiceFailure): string {
  const machine = failure.machine === null ? "" : `, machine ${failure.machine}`;
  return stripControl(`level ${failure.level}, service ${failure.service}, step ${failure.step}${machine}`);
}

function whyLines(failure: ServiceFailure, columns: number, styles: Styles): string[] {
  const lines = failure.lastLines.flatMap(outputLines).slice(-LAST_LINES);
  const room = columns - LABEL - 2;
  const shown = lines.flatMap((line) => {
    const parts = wrap(line, room);
    if (parts.length <= LINES_OF_ONE) return parts;
    return [...parts.slice(0, LINES_OF_ONE - 1), truncate(`${parts[LINES_OF_ONE - 1]} ${parts[LINES_OF_ONE]}`, room)];
  });
  return beside(
    "why",
    shown.map((line) => `${styles.red("│")} ${line}`.trimEnd()),
    styles,
  );
}

function labelled(label: string, paragraphs: readonly string[], columns: number, styles: Styles): string[] {
  return beside(
    label,
    paragraphs.filter((text) => text !== "").flatMap((text) => wrap(text, columns - LABEL)),
    styles,
  );
}

/** Lines with a label before the first one. */
function beside(label: string, lines: readonly string[], styles: Styles): string[] {
  return lines.map((line, index) =>
    index === 0 ? `  ${styles.dim(label.padEnd(LABEL - 2))}${line}` : `${" ".repeat(LABEL)}${line}`,
  );
}
