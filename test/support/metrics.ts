/** Reads Prometheus' text format strictly: what this takes, promtool and node_exporter take. */

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly help: string;
  readonly type: string;
  readonly samples: readonly MetricSample[];
}

/** Metric families by name. @throws at the first line that is wrong. */
export function parseMetrics(text: string): Map<string, MetricFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, { help: string; type: string; samples: MetricSample[] }>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, named, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP" && named !== undefined && rest !== undefined) {
      if (families.has(named)) throw new Error(`${named} comes twice`);
      families.set(named, { help: unescape(rest, "\\n"), type: "", samples: [] });
      current = named;
    } else if (
      keyword === "TYPE" &&
      named === current &&
      /^(counter|gauge|histogram|summary|untyped)$/.test(rest ?? "")
    ) {
      Object.assign(families.get(current) as object, { type: rest });
    } else {
      const sample = parseSample(line, current);
      const family = families.get(current);
      if (family === undefined || family.type === "") throw new Error(`a sample before its TYPE: ${line}`);
      const key = JSON.stringify(Object.entries(sample.labels).sort());
      if (family.samples.some((one) => JSON.stringify(Object.entries(one.labels).sort()) === key))
        throw new Error(`the same sample twice: ${line}`);
      family.samples.push(sample);
    }
  }
  for (const [name, { samples }] of families) if (samples.length === 0) throw new Error(`${name} has no sample`);
  return families;
}

function parseSample(line: string, family: string): MetricSample {
  const [, name, inside, value] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)$/s.exec(line) ?? [];
  if (name !== family || inside === undefined) throw new Error(`no sample of ${family}: ${JSON.stringify(line)}`);
  const labels: Record<string, string> = {};
  const pattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$)/y;
  while (pattern.lastIndex < inside.length) {
    const [, label, text] = pattern.exec(inside) ?? [];
    if (label === undefined || text === undefined) throw new Error(`wrong labels: ${JSON.stringify(line)}`);
    if (label in labels) throw new Error(`the label ${label} twice: ${line}`);
    labels[label] = unescape(text, '\\n"');
  }
  return { labels, value: Number(value) };
}

function unescape(text: string, allowed: string): string {
  return text.replace(/\\(.)/gs, (_whole, letter: string) => {
    if (!allowed.includes(letter)) throw new Error(`no escape: \\${letter}`);
    return letter === "n" ? "\n" : letter;
  });
}

/** The value of the only sample that bears these labels, among others. */
export function metric(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = (families.get(name)?.samples ?? []).filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  if (found.length !== 1) throw new Error(`${found.length} samples of ${name} ${JSON.stringify(labels)}`);
  return (found[0] as MetricSample).value;
}
