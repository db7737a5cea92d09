/** The bars of a row. */
import type { ChainPart, ServiceTiming, StepTiming } from "../../model/analysis.js";
import { outcomeWords, partWords, shareWords } from "../analysisText.js";
import { formatDuration } from "../time.js";
import { plural } from "../stateNames.js";
import { element, hoverTitle, text } from "./svg.js";
import { BAR, CHART_LEFT, CHART_RIGHT, ROW } from "./style.js";

/** Maps a point in time to an x coordinate. */
export type Scale = (ms: number) => number;

/** Bars on the same pixel are drawn as one, for example of three hundred quick tries. */
const NARROWEST = 1;
/** Approximate width of a character in a bar. */
const CHARACTER = 6.2;

/** @param untilMs the end of the time axis; treated as at least 1 ms, to avoid a division by 0. */
export function createScale(untilMs: number): Scale {
  const width = (CHART_RIGHT - CHART_LEFT) / Math.max(1, untilMs);
  return (ms) => CHART_LEFT + ms * width;
}

/** The steps of a service. Waiting for a slot is hatched, a failure is a cross. */
export function serviceBars(service: ServiceTiming, y: number, scale: Scale): string {
  const bars = group(service.steps, scale, (first, next) => first.step === next.step).map((steps) =>
    stepBar(steps, service.name, y, scale),
  );
  return bars.join("") + (service.state === "failed" ? cross(scale(service.endMs), y + ROW / 2) : "");
}

/** The critical path in one row, including waits, without gaps. */
export function chainBars(chain: readonly ChainPart[], y: number, scale: Scale): string {
  return group(chain, scale, () => true)
    .map((parts) => {
      const [first, last] = ends(parts);
      const longest = parts.reduce((most, part) => (part.ms > most.ms ? part : most));
      const where = longest.service ?? longest.level;
      const more = parts.length === 1 ? "" : `, and ${plural(parts.length - 1, "shorter part")}`;
      const title =
        `${where === null ? "" : `${where}: `}${partWords(longest)}, ` +
        `${formatDuration(longest.ms)}, ${shareWords(longest.share)} of the whole${more}`;
      return bar({
        className: longest.kind === "place" ? "waits" : longest.kind,
        from: scale(first.startMs),
        to: scale(last.startMs + last.ms),
        y,
        title,
        labels: [],
      });
    })
    .join("");
}

/** A cross that marks a failure. */
export function cross(x: number, y: number): string {
  const half = 4.5;
  return element("path", {
    class: "cross",
    d: `M${(x - half).toFixed(1)} ${y - half}l${2 * half} ${2 * half}m0 ${-2 * half}l${-2 * half} ${2 * half}`,
  });
}

/** Merges the bars of one pixel. */
function group<T extends { readonly startMs: number; readonly ms: number }>(
  stretches: readonly T[],
  scale: Scale,
  belongs: (first: T, next: T) => boolean,
): T[][] {
  const groups: T[][] = [];
  for (const next of stretches) {
    const current = groups.at(-1);
    const first = current?.[0];
    if (
      current !== undefined &&
      first !== undefined &&
      belongs(first, next) &&
      scale(next.startMs + next.ms) - scale(first.startMs) < NARROWEST
    )
      current.push(next);
    else groups.push([next]);
  }
  return groups;
}

function ends<T>(stretches: readonly T[]): [T, T] {
  return [stretches[0], stretches.at(-1)] as [T, T];
}

function stepBar(steps: readonly StepTiming[], service: string, y: number, scale: Scale): string {
  const [first, last] = ends(steps);
  const ran = first.startMs + first.waitedMs;
  const endMs = last.startMs + last.ms;
  const waits =
    first.waitedMs === 0
      ? ""
      : bar({
          className: "waits",
          from: scale(first.startMs),
          to: scale(ran),
          y,
          title: `${service}: waited for a slot, ${formatDuration(first.waitedMs)}`,
          labels: [],
        });
  const tries =
    steps.length === 1
      ? partWords({ kind: first.step, attempt: first.attempt })
      : `${first.step}, tries ${first.attempt} to ${last.attempt}`;
  const took = formatDuration(endMs - ran);
  const title = `${service}: ${tries}, ${took}, ${outcomeWords(last)}, began after ${formatDuration(ran)}`;
  const className = [
    first.step,
    ...(last.outcome === null ? ["open"] : []),
    ...(last.failed && last.step === "ready" ? ["retried"] : []),
  ].join(" ");
  return (
    waits + bar({ className, from: scale(ran), to: scale(endMs), y, title, labels: [`${first.step} ${took}`, took] })
  );
}

interface Bar {
  readonly className: string;
  readonly from: number;
  readonly to: number;
  readonly y: number;
  readonly title: string;
  /** Labels, longest first: the first that fits is drawn. */
  readonly labels: readonly string[];
}

function bar({ className, from, to, y, title, labels }: Bar): string {
  const width = Math.max(NARROWEST, to - from);
  const box = { x: from, y: y + (ROW - BAR) / 2, width, height: BAR };
  const shape =
    className === "waits"
      ? element("rect", { ...box, fill: "url(#waterfall-waits)" }, hoverTitle(title))
      : element("rect", { ...box, class: className }, hoverTitle(title));
  const label = labels.find((words) => words.length * CHARACTER + 8 < width);
  return label === undefined
    ? shape
    : shape + text(from + 4, y + ROW / 2 + 4, label, { class: "inbar", "pointer-events": "none" });
}
