/** Circles in the graph of who waits for whom. */
import { expect, test } from "@jest/globals";

import { cycleThrough, describeCycle, type Edge } from "../../../src/engine/coordination/waitCycles.js";

const graph =
  (edges: Readonly<Record<string, readonly string[]>>) =>
  (node: string): Edge[] =>
    (edges[node] ?? []).map((to) => ({ to, why: `${to}.x` }));

test("the shortest way back is found, whoever else waits", () => {
  const edges = graph({
    a: ["long1", "b"],
    b: ["dead", "c"],
    c: ["a"],
    long1: ["long2"],
    long2: ["long3"],
    long3: ["a"],
    dead: [],
  });
  expect(describeCycle(cycleThrough("a", edges("a"), edges) ?? [])).toBe(
    "a waits for b.x, b waits for c.x, c waits for a.x",
  );
  expect(describeCycle(cycleThrough("c", edges("c"), edges) ?? [])).toBe(
    "c waits for a.x, a waits for b.x, b waits for c.x",
  );
});

test("who waits for a circle and is not in it has none; who waits for itself has the shortest", () => {
  const edges = graph({ outside: ["a"], a: ["b"], b: ["a"], self: ["self"] });
  expect(cycleThrough("outside", edges("outside"), edges)).toBeNull();
  expect(describeCycle(cycleThrough("self", edges("self"), edges) ?? [])).toBe("self waits for self.x");
});

test("of a long circle the first steps are named, and the rest counted", () => {
  const names = Array.from({ length: 40 }, (_, index) => `s${index}`);
  const edges = graph(
    Object.fromEntries(names.map((name, index) => [name, [names[(index + 1) % names.length] as string]])),
  );
  expect(describeCycle(cycleThrough("s0", edges("s0"), edges) ?? [])).toMatch(/^s0 waits for s1\.x, .* and 28 more$/);
});
