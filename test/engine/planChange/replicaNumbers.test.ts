/** Numbers of replicas: those that are there keep theirs, and none is used twice. */
import { expect, test } from "@jest/globals";

import { withReplicaNumbers } from "../../../src/engine/planChange/replicaNumbers.js";
import { replicaNames, type ServiceSpec } from "../../../src/plan/launchPlan/launchPlan.js";
import type { ServiceRecord } from "../../../src/state/contract/records.js";
import { plan, service } from "../../support/plans.js";

const of = (...services: ServiceSpec[]) => plan([{ name: "l", services }]);
const records = (spec: string, ...replicas: number[]): ServiceRecord[] =>
  replicas.map((replica, index) => ({
    id: index + 1,
    level: 0,
    spec,
    name: `${spec}-${replica}`,
    replica,
    state: "ready",
    failure: null,
    revision: 1,
    due: null,
    booted: true,
    said: null,
    updatedAt: 0,
  }));
const names = (
  before: ReturnType<typeof of>,
  after: ReturnType<typeof of>,
  there: readonly ServiceRecord[],
  ever: number,
) =>
  withReplicaNumbers(before, after, there, new Map([["web", ever]]))
    .levels.flatMap((level) => level.services)
    .flatMap(replicaNames);

const web = (replicas: number, parts: Partial<ServiceSpec> = {}) => service("web", { replicas, ...parts });

test.each([
  ["as many as before", 3, [1, 2, 3], 3, ["web-1", "web-2", "web-3"]],
  ["fewer: the first stay", 2, [1, 2, 3], 3, ["web-1", "web-2"]],
  [
    "more after fewer: numbers of those that went are not used again",
    4,
    [1, 2],
    3,
    ["web-1", "web-2", "web-4", "web-5"],
  ],
  ["all new after none", 2, [], 3, ["web-4", "web-5"]],
  ["one that is left of several keeps a number that is not the first", 1, [4], 4, ["web-4"]],
])("%s", (_name, wanted, there, ever, expected) => {
  expect(names(of(web(3)), of(web(wanted)), records("web", ...there), ever)).toEqual(expected);
});

test("a service that was renamed goes on with its numbers; one that comes back alone has none in its name", () => {
  expect(names(of(web(2)), of(service("www", { was: "web", replicas: 3 })), records("web", 1, 2), 5)).toEqual([
    "www-1",
    "www-2",
    "www-6",
  ]);
  expect(names(of(), of(web(1)), [], 1)).toEqual(["web"]);
});

test("one that comes back after several were removed has a number that none of them had", () => {
  expect(names(of(), of(web(1)), [], 3)).toEqual(["web-4"]);
});
