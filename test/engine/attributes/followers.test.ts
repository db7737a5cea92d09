/** Which services a change may reach. */
import { expect, test } from "@jest/globals";

import { followersOf } from "../../../src/engine/attributes/followers.js";
import type { Template } from "../../../src/plan/launchPlan/launchPlan.js";
import { parseTemplate } from "../../../src/plan/references/references.js";
import { plan, service } from "../../support/plans.js";

const template = (text: string): Template => parseTemplate(text, "compiled").parts;
const attributes = (text: string) => ({ url: { value: template(text), secret: false } });

const chain = plan([
  { name: "one", services: [service("db", { replicas: 2 })] },
  {
    name: "two",
    services: [
      service("api", { attributes: attributes("${db.2.host}") }),
      service("batch", { attributes: attributes("${db.replicas}") }),
      service("web", { size: template("${api.url}") }),
    ],
  },
]);

test("who refers to a value that may change follows, and so on; who refers to another replica does not", () => {
  expect(followersOf(chain, [{ spec: "db", replica: 2, stage: "replace" }])).toEqual([
    { service: "api", stage: "boot", because: ["db.host"] },
    { service: "web", stage: "replace", because: ["api.url"] },
  ]);
  expect(followersOf(chain, [{ spec: "db", replica: 1, stage: "replace" }])).toEqual([]);
});

test("a service keeps its address when it boots again, and all values when it is only verified", () => {
  expect(followersOf(chain, [{ spec: "db", replica: 2, stage: "boot" }])).toEqual([]);
  expect(followersOf(chain, [{ spec: "api", replica: 1, stage: "verify" }])).toEqual([]);
});

test("who begins at the same stage by itself is not named again", () => {
  expect(
    followersOf(chain, [
      { spec: "db", replica: 2, stage: "replace" },
      { spec: "api", replica: 1, stage: "boot" },
    ]).map(({ service }) => service),
  ).toEqual(["web"]);
});

test("a number in a reference is the place among the replicas that are there", () => {
  const scaled = plan([
    { name: "one", services: [service("web", { replicas: 3, replicaNumbers: [1, 2, 4] })] },
    { name: "two", services: [service("edge", { attributes: attributes("${web.3.host}") })] },
  ]);
  expect(followersOf(scaled, [{ spec: "web", replica: 4, stage: "replace" }])).toMatchObject([{ service: "edge" }]);
  expect(followersOf(scaled, [{ spec: "web", replica: 2, stage: "replace" }])).toEqual([]);
});
