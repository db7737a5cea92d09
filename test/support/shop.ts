/** A small run called shop, and what monitors and collectors read of it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "@jest/globals";

import { installation, type Ended, type Installation } from "./installation.js";
import { parseMetrics, type MetricFamily } from "./metrics.js";
import { parsePluginLine, type PluginOutput } from "./nagiosLine.js";

/** `web` is well until there is a file `bad`. */
const plan = (facts: string) => `plan: shop
levels:
  - name: storage
    services: { db: {} }
  - name: web
    services:
      web: { replicas: 2, ready: { command: "test ! -f '${facts}/bad' || { echo looks | cat; exit 4; }", every: 100ms, timeout: 10s } }
`;

/** Boots it. */
export async function shop(): Promise<Installation> {
  const own = installation();
  expect(await own.call(["boot", own.plan(plan(own.facts)), "--name", "shop"])).toMatchObject({ code: 0 });
  return own;
}

/** From now on `web` is not well. */
export function spoil(own: Installation): void {
  writeFileSync(join(own.facts, "bad"), "");
}

/** What a monitor reads: one line on stdout, and nothing beside it. */
export function pluginLine({ stdout, stderr }: Ended): PluginOutput {
  expect(stderr).toBe("");
  expect(stdout.endsWith("\n")).toBe(true);
  return parsePluginLine(stdout.slice(0, -1));
}

export function readMetrics(file: string): Map<string, MetricFamily> {
  return parseMetrics(readFileSync(file, "utf8"));
}
