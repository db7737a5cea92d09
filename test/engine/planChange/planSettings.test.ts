/** What changes in a plan beside its services. */
import { expect, test } from "@jest/globals";

import { changedSettings } from "../../../src/engine/planChange/planSettings.js";
import { plan, service } from "../../support/plans.js";

const levels = [{ name: "one", services: [service("web")] }];
const before = plan(levels, { name: "shop", concurrency: 100, deadlines: { boot: 1_000 } });

test("equal plans have no difference, wherever their files are", () => {
  expect(changedSettings(before, { ...before, file: "/elsewhere/launch.yaml", dir: "/elsewhere" })).toEqual([]);
});

test("each setting is named with both values, where they are short", () => {
  const after = { ...before, name: "blog", concurrency: 50, keep: "always" as const, deadlines: { boot: 2_000 } };
  expect(changedSettings(before, after).sort()).toEqual([
    "concurrency: 100 → 50",
    "deadlines: changed",
    "keep: none → always",
    "name: shop → blog",
  ]);
});

test("levels and clouds are named, and no option of a cloud is shown", () => {
  const cloud = { name: "aws", driver: "ec2", options: { secret_key: "hunter2" } };
  const after = {
    ...before,
    levels: [...levels, { name: "two", services: [] }],
    clouds: { ...before.clouds, aws: cloud },
  };
  expect(changedSettings(before, after)).toEqual(["cloud aws: new", "levels: one → one, two"]);
});
