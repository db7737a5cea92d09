/** A section of a run as a waterfall chart: one row per service, one bar per step, time from left to right. */
import type { SectionAnalysis, ServiceTiming, StepTiming } from "../../model/analysis.js";
import { caveats, PART_WORDS, resultWords } from "../analysisText.js";
import { truncate, stripControl } from "../terminalText.js";
import { formatDuration, formatTime } from "../time.js";
import { ticks } from "./axis.js";
import { chainBars, createScale, cross, serviceBars, type Scale } from "./bars.js";
import { chooseRows, type LevelRows, type Rows } from "./rows.js";
import { CHART_RIGHT, LEVEL_ROW, MARGIN, ROW, styleSheet, WIDTH } from "./style.js";
import { element, hoverTitle, text } from "./svg.js";
import { plural } from "../stateNames.js";

/** How many columns of a name fit before the bars. */
const NAME_COLUMNS = 30;
const LINE = 18;
/** A higher chart repeats its time axis at the bottom. */
const LOW = 600;

/**
 * Draws a section as one SVG document, 1200 pixels wide and as high as needed. If there are too many services or levels,
 * the most important ones are drawn, with a note. Pure.
 */
export function renderWaterfall(run: string, section: SectionAnalysis): string {
  const rows = chooseRows(section);
  const head = headLines(run, section, rows);
  const legendY = MARGIN + 22 + head.length * LINE;
  const colours = legend(section, legendY);
  const axisY = legendY + 44 + (colours.lines - 1) * LINE;
  // Reports of a run are collected after its end, within the same section.
  const untilMs = Math.max(section.wallMs, section.chainMs, ...section.levels.map(({ endMs }) => endMs));
  const scale = createScale(untilMs);
  const body = drawRows(section, rows, axisY + 8, scale);
  const height = body.bottom + MARGIN;
  const parts = [
    element("style", {}, styleSheet()),
    hatching(),
    element("rect", { class: "back", width: WIDTH, height }),
    ...head,
    colours.shapes,
    ...body.bands,
    axis(untilMs, axisY, body.bottom, scale),
    ...body.rows,
  ];
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    class: "waterfall",
    width: WIDTH,
    height,
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: "img",
    "aria-label": title(run, section),
  };
  return `${element("svg", attributes, parts.map((part) => `\n${part}`).join(""), "\n")}\n`;
}

function title(run: string, section: SectionAnalysis): string {
  return `${run}: ${section.verb}, ${resultWords(section)} after ${formatDuration(section.wallMs)}`;
}

function headLines(run: string, section: SectionAnalysis, { note }: Rows): string[] {
  const services = section.levels.reduce((sum, level) => sum + level.services.length, 0);
  const about =
    `Section ${section.number}, started ${formatTime(section.startedAt)}. ` +
    `${plural(services, "service")} in ${plural(section.levels.length, "level")}.`;
  const lines = [about, ...caveats(section), ...(note === null ? [] : [note])];
  return [
    text(MARGIN, MARGIN + 16, truncate(stripControl(title(run, section)), 110), { class: "head" }),
    ...lines.map((line, index) => text(MARGIN, MARGIN + 38 + index * LINE, line, { class: "faint" })),
  ];
}

/** The pattern of time spent waiting for a slot. */
function hatching(): string {
  const pattern = {
    id: "waterfall-waits",
    width: 6,
    height: 6,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  return element(
    "defs",
    {},
    element(
      "pattern",
      pattern,
      element("rect", { class: "band", width: 6, height: 6 }),
      element("line", { class: "hatch", y2: 6, "stroke-width": 3 }),
    ),
  );
}

/** The legend: only colours that occur in the chart, in as many lines as they need. */
function legend(section: SectionAnalysis, top: number): { readonly shapes: string; readonly lines: number } {
  const steps = section.levels.flatMap((level) => level.services).flatMap((service) => service.steps);
  const used = new Set<string>([...steps.map((step) => step.step), ...section.chain.map((part) => part.kind)]);
  const place = steps.some((step) => step.waitedMs > 0);
  const entries: { words: string; shape: (x: number, y: number) => string }[] = (
    Object.keys(PART_WORDS) as (keyof typeof PART_WORDS)[]
  )
    .filter((kind) => (kind === "place" ? place : used.has(kind)))
    .map((kind) => ({
      words: PART_WORDS[kind],
      shape: (x, y) => swatch(x, y, kind === "place" ? { fill: "url(#waterfall-waits)" } : { class: kind }),
    }));
  if (steps.some((step) => step.failed && step.step === "ready"))
    entries.push({ words: "failed try", shape: (x, y) => swatch(x, y, { class: "ready retried" }) });
  entries.push({ words: "critical path", shape: (x, y) => swatch(x, y, { class: "critical" }) });
  if (section.levels.some((level) => level.services.some((service) => service.state === "failed")))
    entries.push({ words: "failed", shape: (x, y) => cross(x + 7, y + 1) });
  let [x, lines] = [MARGIN, 1];
  const shapes = entries.map(({ words, shape }) => {
    const width = 40 + words.length * 6.3;
    if (x > MARGIN && x + width > WIDTH - MARGIN) [x, lines] = [MARGIN, lines + 1];
    const [at, y] = [x, top + (lines - 1) * LINE];
    x += width;
    return shape(at, y) + text(at + 20, y + 5, words);
  });
  return { shapes: shapes.join(""), lines };
}

function swatch(x: number, y: number, look: { readonly fill: string } | { readonly class: string }): string {
  return element("rect", { x, y: y - 6, width: 14, height: 14, ...look });
}

function axis(untilMs: number, y: number, bottom: number, scale: Scale): string {
  return ticks(untilMs)
    .map(({ ms, label }) => {
      const x = scale(ms);
      const again = bottom - y > LOW ? text(x, bottom + 15, label, { class: "faint middle" }) : "";
      return (
        element("line", { class: "grid", x1: x, x2: x, y1: y, y2: bottom }) +
        text(x, y - 5, label, { class: "faint middle" }) +
        again
      );
    })
    .join("");
}

interface Drawn {
  /** Elements below and above the grid. */
  readonly bands: string[];
  readonly rows: string[];
  bottom: number;
}

function drawRows(section: SectionAnalysis, { levels }: Rows, top: number, scale: Scale): Drawn {
  const took = endLabel(scale(section.chainMs) + 5, top, section.chainMs, "faint");
  const drawn: Drawn = {
    bands: [criticalBand(top)],
    rows: [name("Critical path", top, "strong"), chainBars(section.chain, top, scale), took],
    bottom: top + ROW,
  };
  for (const level of levels) drawLevel(drawn, level, scale);
  return drawn;
}

function drawLevel(drawn: Drawn, { level, shown, folded }: LevelRows, scale: Scale): void {
  const top = drawn.bottom;
  const { startMs, endMs } = level;
  drawn.rows.push(
    text(MARGIN, top + 21, truncate(stripControl(`${level.name}, ${formatDuration(endMs - startMs)}`), NAME_COLUMNS), {
      class: "faint strong",
    }),
  );
  drawn.bottom += LEVEL_ROW;
  const bandAt = drawn.bands.length;
  for (const service of shown) drawService(drawn, service, service.name === level.last, scale);
  if (folded.length > 0) drawFolded(drawn, folded, scale);
  const height = drawn.bottom - top - 6;
  drawn.bands.splice(
    bandAt,
    0,
    element("rect", {
      class: "band",
      x: scale(startMs),
      y: top + 6,
      width: Math.max(1, scale(endMs) - scale(startMs)),
      height,
    }),
  );
}

function drawService(drawn: Drawn, service: ServiceTiming, critical: boolean, scale: Scale): void {
  const y = drawn.bottom;
  if (critical) drawn.bands.push(criticalBand(y));
  const failed = service.state === "failed";
  const label = name(service.name, y, [...(critical ? ["strong"] : []), ...(failed ? ["wrong"] : [])].join(" "));
  const end = scale(service.endMs) + (failed ? 9 : 5);
  const took = endLabel(end, y, service.endMs - service.startMs, failed ? "wrong" : "faint");
  drawn.rows.push(
    element("g", { class: "service" }, hoverTitle(about(service)), label, serviceBars(service, y, scale), took),
  );
  drawn.bottom += ROW;
}

/** Many services in one row, from the first start to the last end. */
function drawFolded(drawn: Drawn, services: readonly ServiceTiming[], scale: Scale): void {
  const y = drawn.bottom;
  const startMs = services.reduce((first, service) => Math.min(first, service.startMs), Infinity);
  const endMs = services.reduce((last, service) => Math.max(last, service.endMs), 0);
  const failed = services.filter((service) => service.state === "failed").length;
  const words = `… and ${services.length} more${failed > 0 ? `, ${failed} failed` : ""}`;
  const box = {
    class: "folded",
    x: scale(startMs),
    y: y + 7,
    width: Math.max(1, scale(endMs) - scale(startMs)),
    height: ROW - 14,
  };
  drawn.rows.push(
    name(words, y, failed > 0 ? "wrong" : "faint") +
      element("rect", box, hoverTitle(`${words}: from ${formatDuration(startMs)} to ${formatDuration(endMs)}`)),
  );
  drawn.bottom += ROW;
}

function about({ name, state, failure, steps }: ServiceTiming): string {
  const longest = steps.reduce<StepTiming | null>(
    (most, step) => (most === null || step.ms > most.ms ? step : most),
    null,
  );
  const why = failure === null ? "" : `: ${failure}`;
  return (
    `${name} ${state}${why}` +
    `${longest === null ? "" : `; longest step: ${longest.step}, ${formatDuration(longest.ms)}`}`
  );
}

function name(content: string, y: number, className: string): string {
  return text(MARGIN, y + ROW / 2 + 4, truncate(stripControl(content), NAME_COLUMNS), { class: className });
}

function endLabel(x: number, y: number, ms: number, className: string): string {
  return text(x, y + ROW / 2 + 4, formatDuration(ms), { class: className });
}

function criticalBand(y: number): string {
  return element("rect", {
    class: "critical",
    x: MARGIN - 8,
    y: y + 1,
    width: CHART_RIGHT + 70 - MARGIN + 8,
    height: ROW - 2,
  });
}
