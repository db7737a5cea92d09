/**
 * Draws what `npm run bench` has measured: seconds over size, both axes logarithmic, as SVG.
 * Usage: node bench/picture.mjs RESULTS.json PICTURE.svg
 */
import { readFileSync, writeFileSync } from "node:fs";

import * as echarts from "echarts";

const PANELS = [
  {
    question: "sshFanOut",
    title: "Real hosts over SSH: connect, stage, boot, ready",
    x: "hosts (one sshd on the same two processors)",
  },
  { question: "levels", title: "Simulated cloud, time that jumps: what bootlevel itself takes", x: "services" },
];
const WIDTH = 960;
const PANEL = 420;

const [results, picture] = process.argv.slice(2);
if (picture === undefined) {
  console.error("usage: node bench/picture.mjs RESULTS.json PICTURE.svg");
  process.exit(2);
}
const { answers } = JSON.parse(readFileSync(results, "utf8"));
const panels = PANELS.flatMap((panel) =>
  answers.filter(({ question }) => question === panel.question).map(({ series }) => ({ ...panel, series })),
);
if (panels.length === 0) {
  console.error(`${results} has neither sshFanOut nor levels: measure them first`);
  process.exit(2);
}

const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: PANEL * panels.length });
const top = (index) => index * PANEL;
chart.setOption({
  animation: false,
  backgroundColor: "#ffffff",
  title: panels.map(({ title }, index) => ({
    text: title,
    left: 20,
    top: top(index) + 12,
    textStyle: { fontSize: 16 },
  })),
  legend: panels.map(({ series }, index) => ({
    data: series.map(({ name }) => `${name}${suffix(index)}`),
    formatter: (name) => name.replace(/\u200b+$/, ""),
    show: series.length > 1,
    orient: "vertical",
    left: WIDTH - 320,
    top: top(index) + 60,
    textStyle: { fontSize: 12 },
  })),
  grid: panels.map((_, index) => ({ left: 70, right: 330, top: top(index) + 60, height: PANEL - 130 })),
  xAxis: panels.map(({ x, series }, index) => ({
    type: "log",
    gridIndex: index,
    name: x,
    nameLocation: "middle",
    nameGap: 30,
    ...ends(series),
  })),
  yAxis: panels.map((_, index) => ({ type: "log", gridIndex: index, name: "seconds" })),
  series: panels.flatMap(({ series }, index) =>
    series.map(({ name, points }) => ({
      name: `${name}${suffix(index)}`,
      type: "line",
      xAxisIndex: index,
      yAxisIndex: index,
      data: points,
      symbolSize: 8,
      ...(name === "bootlevel" ? { color: "#111827", lineStyle: { width: 4 } } : {}),
    })),
  ),
});
writeFileSync(picture, `${chart.renderToSVGString()}\n`);
// Else its timers keep the process.
chart.dispose();

/** Names are a series' identity, and both panels have one of the same name. */
function suffix(index) {
  return "\u200b".repeat(index);
}

function ends(series) {
  const sizes = series.flatMap(({ points }) => points.map(([size]) => size));
  return { min: Math.min(...sizes), max: Math.max(...sizes) };
}
