/** The book of attributes: what each reference gives, and what is said when it cannot give anything yet. */
import { test, expect } from "@jest/globals";

import { AttributeRegistry, UnresolvedError } from "../../../src/engine/attributes/attributes.js";
import type { Reference } from "../../../src/plan/launchPlan/launchPlan.js";
import { plan, service } from "../../support/plans.js";

const value = (text: string, secret = false) => ({ value: text, secret, kind: "output" as const });
const of = (name: string, attribute: string, replica: number | "all" = 0): Reference => ({
  kind: "service",
  service: name,
  replica,
  attribute,
});

function book(): AttributeRegistry {
  const levels = [{ name: "one", services: [service("db"), service("web", { replicas: 11 }), service("web-x")] }];
  const filled = new AttributeRegistry(plan(levels), "run-1", [
    { kind: "variable", name: "x", value: "of variable", secret: false },
    { kind: "environment", name: "x", value: "of environment", secret: false },
    { kind: "variable", name: "password", value: "hidden", secret: true },
  ]);
  filled.set("db", "port", value("5432"));
  for (let replica = 1; replica <= 11; replica += 1) filled.set(`web-${replica}`, "id", value(`w${replica}`));
  return filled;
}

test("a template is its text and its references' values, joined without anything between", () => {
  expect(book().resolve(["a ", of("db", "port"), ":", of("db", "port"), ""], null)).toBe("a 5432:5432");
  expect(book().resolve([], null)).toBe("");
});

test("a wildcard gives every replica in the order of their numbers, not of their names", () => {
  expect(book().lookup(of("web", "id", "all"), null)).toBe("w1,w2,w3,w4,w5,w6,w7,w8,w9,w10,w11");
  expect(book().lookup(of("web", "id", 10), null)).toBe("w10");
});

test("a wildcard over a service with one replica gives that one", () => {
  expect(book().lookup(of("db", "port", "all"), null)).toBe("5432");
});

test("self is the replica that asks", () => {
  expect(book().resolve([{ kind: "self", attribute: "id" }], "web-3")).toBe("w3");
});

test("a variable and an environment variable of one name are two things", () => {
  expect(book().lookup({ kind: "variable", name: "x" }, null)).toBe("of variable");
  expect(book().lookup({ kind: "environment", name: "x" }, null)).toBe("of environment");
});

test("the run's name and the plan's directory", () => {
  expect(book().resolve([{ kind: "run", field: "name" }, " ", { kind: "plan", field: "dir" }], null)).toBe(
    "run-1 /plan",
  );
});

test.each<[string, Reference, string | null, string]>([
  ["an attribute that is not there yet", of("db", "id"), null, "${db.id}"],
  ["one replica's that is not there", of("web", "nothing", "all"), null, "${web-1.nothing}"],
  ["self without a replica", { kind: "self", attribute: "id" }, null, "${self.id}"],
  ["a variable", { kind: "variable", name: "none" }, null, "${var.none}"],
  ["the environment", { kind: "environment", name: "none" }, null, "${env.none}"],
])("%s is named when it has no value", (_what, reference, self, words) => {
  expect(() => book().lookup(reference, self)).toThrow(UnresolvedError);
  expect(() => book().lookup(reference, self)).toThrow(words);
});

test.each(["constructor", "__proto__", "toString"])("%s is an attribute's name like any other", (name) => {
  const filled = book();
  expect(() => filled.lookup(of("db", name), null)).toThrow(UnresolvedError);
  filled.set("db", name, value("mine"));
  expect(filled.lookup(of("db", name), null)).toBe("mine");
});

test("all secrets are told: of variables and of attributes, and nothing else", () => {
  const filled = book();
  filled.set("db", "token", value("t", true));
  expect(filled.learnedSecrets().sort()).toEqual(["hidden", "t"]);
});
