import type { StepName } from "../../model/events.js";

/** Sizes in pixels, and colours. The chart paints its own background, so it is readable anywhere. */
export const WIDTH = 1200;
export const MARGIN = 20;
/** Start and end of the bars; names are on the left, durations on the right. */
export const CHART_LEFT = 250;
export const CHART_RIGHT = WIDTH - 90;
export const ROW = 22;
export const BAR = 16;
export const LEVEL_ROW = 30;

/**
 * The colours of steps and waits: the Okabe-Ito palette, which colour-blind people can distinguish, under dark text.
 */
const FILLS: Readonly<Record<StepName, string>> = {
  resolve: "#f7b6c2",
  launch: "#cc79a7",
  connect: "#56b4e9",
  prepare: "#9ad0f5",
  setup: "#b7a3e0",
  boot: "#e69f00",
  ready: "#1fae83",
  execute: "#f0805a",
  report: "#a8c256",
  terminate: "#f0e442",
  destroy: "#b08d6a",
};

interface Theme {
  readonly back: string;
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
  readonly band: string;
  readonly critical: string;
  readonly wrong: string;
  readonly pause: string;
  readonly bootlevel: string;
}

const LIGHT: Theme = {
  back: "#ffffff",
  ink: "#1b2027",
  faint: "#5b6470",
  grid: "#dde1e6",
  band: "#eceff4",
  critical: "#ffeebf",
  wrong: "#b3261e",
  pause: "#ccd2da",
  bootlevel: "#8c96a3",
};
const DARK: Theme = {
  back: "#161b22",
  ink: "#e6eaf0",
  faint: "#9aa4b2",
  grid: "#2c333d",
  band: "#212a35",
  critical: "#473a12",
  wrong: "#ff8a80",
  pause: "#4a5361",
  bootlevel: "#7d8794",
};

/** The style sheet: light, or dark if the viewer prefers it. */
export function styleSheet(): string {
  const steps = Object.entries(FILLS)
    .map(([step, color]) => `.waterfall .${step}{fill:${color}}`)
    .join("");
  const font =
    ".waterfall text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}.waterfall .head{font-size:19px;font-weight:600}.waterfall .strong{font-weight:600}.waterfall .inbar{font-size:11px;fill:#1b2027}";
  const shapes =
    ".waterfall .retried{opacity:.55}.waterfall .open{stroke-width:1.5;stroke-dasharray:4 3}.waterfall .cross{fill:none;stroke-width:2.5}.waterfall .end{text-anchor:end}.waterfall .middle{text-anchor:middle}";
  return `${font}${steps}${shapes}${themed(LIGHT)}@media (prefers-color-scheme:dark){${themed(DARK)}}`;
}

function themed(theme: Theme): string {
  const rules: readonly (readonly [string, string])[] = [
    ["text", `fill:${theme.ink}`],
    [".back", `fill:${theme.back}`],
    [".faint", `fill:${theme.faint}`],
    [".grid", `stroke:${theme.grid}`],
    [".band", `fill:${theme.band}`],
    [".critical", `fill:${theme.critical}`],
    [".wrong", `fill:${theme.wrong}`],
    [".cross", `stroke:${theme.wrong}`],
    [".open", `stroke:${theme.ink}`],
    [".hatch", `stroke:${theme.faint}`],
    [".pause", `fill:${theme.pause}`],
    [".bootlevel", `fill:${theme.bootlevel}`],
    [".folded", `fill:${theme.pause}`],
  ];
  return rules.map(([selector, rule]) => `.waterfall ${selector}{${rule}}`).join("");
}
