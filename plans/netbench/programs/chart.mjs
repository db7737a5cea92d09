/**
 * Draws the clients' rates as stacked areas, so that the upper edge is the sum. It writes SVG by hand, because machines
 * have no packages.
 */
const WIDTH = 900;
const PLOT = { left: 80, top: 30, width: 620, height: 260 };
const HEIGHT = PLOT.top + PLOT.height + 55;
/** The most clients that the legend names. */
const MOST_NAMED = 12;

export const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/**
 * @param series { name, values }, one value for each interval; edges: the start of each interval and the end of the
 *   last one, in seconds
 * @returns an svg element
 */
export function chart({ title, series, edges }) {
  const totals = edges.slice(1).map((_, index) => series.reduce((sum, { values }) => sum + values[index], 0));
  const top = niceTop(Math.max(...totals));
  const unit = top >= 1000 ? { name: "Gbit/s", of: 1000 } : { name: "Mbit/s", of: 1 };
  const x = (seconds) => PLOT.left + (seconds / edges.at(-1)) * PLOT.width;
  const y = (value) => PLOT.top + PLOT.height - (value / top) * PLOT.height;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="sans-serif" font-size="13">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...yAxis(top, unit, y),
    ...xAxis(edges, x),
    ...areas(series, edges, x, y),
    `<path d="${steps(totals, edges, x, y)}" fill="none" stroke="#111827" stroke-width="2"/>`,
    ...legend(series),
    "</svg>",
  ].join("\n");
}

function areas(series, edges, x, y) {
  let below = edges.slice(1).map(() => 0);
  return series.map(({ name, values }, index) => {
    const above = below.map((value, at) => value + values[at]);
    const back = [...edges.slice(1).keys()]
      .reverse()
      .map((at) => `L${point(x(edges[at + 1]), y(below[at]))} L${point(x(edges[at]), y(below[at]))}`)
      .join(" ");
    const path = `${steps(above, edges, x, y)} ${back} Z`;
    below = above;
    return `<path d="${path}" fill="${color(index, series.length)}"><title>${escape(name)}</title></path>`;
  });
}

/** A rate is constant during its interval. */
function steps(values, edges, x, y) {
  return values
    .map((value, at) => `${at === 0 ? "M" : "L"}${point(x(edges[at]), y(value))} L${point(x(edges[at + 1]), y(value))}`)
    .join(" ");
}

function yAxis(top, unit, y) {
  const lines = [0, 1, 2, 3, 4].map((part) => {
    const value = (top * part) / 4;
    const at = y(value).toFixed(1);
    const label = trimmed(value / unit.of);
    return `<line x1="${PLOT.left}" x2="${PLOT.left + PLOT.width}" y1="${at}" y2="${at}" stroke="#e5e7eb"/><text x="${PLOT.left - 8}" y="${at}" dy="4" text-anchor="end" fill="#374151">${label}</text>`;
  });
  return [
    ...lines,
    `<text x="${PLOT.left - 8}" y="${PLOT.top - 12}" text-anchor="end" fill="#374151">${unit.name}</text>`,
  ];
}

function xAxis(edges, x) {
  const end = edges.at(-1);
  const step = niceTop(end / 5);
  const bottom = PLOT.top + PLOT.height;
  const ticks = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step);
  return [
    ...ticks.map(
      (seconds) =>
        `<line x1="${x(seconds).toFixed(1)}" x2="${x(seconds).toFixed(1)}" y1="${bottom}" y2="${bottom + 5}" stroke="#6b7280"/><text x="${x(seconds).toFixed(1)}" y="${bottom + 20}" text-anchor="middle" fill="#374151">${trimmed(seconds)}</text>`,
    ),
    `<text x="${PLOT.left + PLOT.width / 2}" y="${bottom + 42}" text-anchor="middle" fill="#374151">seconds since the client's own start</text>`,
  ];
}

/** Lists the clients in the order of their areas, the topmost first. */
function legend(series) {
  const left = PLOT.left + PLOT.width + 24;
  const named = [...series.entries()].slice(0, MOST_NAMED).reverse();
  const row = (index) => PLOT.top + 8 + index * 20;
  const more = series.length - named.length;
  return [
    `<line x1="${left}" x2="${left + 14}" y1="${row(0)}" y2="${row(0)}" stroke="#111827" stroke-width="2"/><text x="${left + 22}" y="${row(0)}" dy="4" fill="#111827">all together</text>`,
    ...(more > 0 ? [`<text x="${left + 22}" y="${row(1)}" dy="4" fill="#374151">… ${more} more</text>`] : []),
    ...named.map(([index, { name }], place) => {
      const at = row(place + (more > 0 ? 2 : 1));
      return `<rect x="${left}" y="${at - 7}" width="14" height="14" fill="${color(index, series.length)}"/><text x="${left + 22}" y="${at}" dy="4" fill="#374151">${escape(short(name))}</text>`;
    }),
  ];
}

/** Hues go once around the colour circle; neighbours also differ in lightness. */
function color(index, count) {
  return `hsl(${Math.round((index * 360) / Math.max(count, 6) + 205) % 360} 60% ${index % 2 === 0 ? 58 : 72}%)`;
}

/** The next round number that is not less: 1, 2, 2.5 or 5 times a power of ten. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value > 0 ? value : 1));
  return [1, 2, 2.5, 5, 10].map((part) => part * power).find((one) => one >= value * 0.999999) ?? 10 * power;
}

const trimmed = (value) => String(Number(value.toPrecision(3)));
const point = (x, y) => `${x.toFixed(1)},${y.toFixed(1)}`;
const short = (name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name);
