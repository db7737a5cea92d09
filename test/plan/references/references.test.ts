import { expect, test } from "@jest/globals";
import {
  parseTemplate,
  referenceText,
  templateText,
  type TemplateMode,
} from "../../../src/plan/references/references.js";
import { growth } from "../../support/growth.js";

function parse(text: string, mode: TemplateMode = "strict"): readonly unknown[] {
  const { parts, mistakes } = parseTemplate(text, mode);
  return mistakes.length > 0 ? mistakes.map(({ offset, text: wrong }) => `${offset}:${wrong}`) : parts;
}

test("text without references is one part, and empty text none", () => {
  expect(parse("plain $ $$ $x 100%")).toEqual(["plain $ $$ $x 100%"]);
  expect(parse("")).toEqual([]);
});

test("every kind of reference is read", () => {
  expect(parse("${db.host}:${web-2.port}${web.*.host}")).toEqual([
    { kind: "service", service: "db", replica: 0, attribute: "host" },
    ":",
    { kind: "service", service: "web-2", replica: 0, attribute: "port" },
    { kind: "service", service: "web", replica: "all", attribute: "host" },
  ]);
  expect(parse("${self.x}${var.a-b}${env.X_1}${run.name}${plan.dir}")).toEqual([
    { kind: "self", attribute: "x" },
    { kind: "variable", name: "a-b" },
    { kind: "environment", name: "X_1" },
    { kind: "run", field: "name" },
    { kind: "plan", field: "dir" },
  ]);
});

test("$${ is a literal ${, and a dollar before it stays", () => {
  expect(parse("$${db.host}")).toEqual(["${db.host}"]);
  expect(parse("$$${db.host}")).toEqual(["$${db.host}"]);
  expect(parse("$${a}${db.host}$${")).toEqual([
    "${a}",
    { kind: "service", service: "db", replica: 0, attribute: "host" },
    "${",
  ]);
});

test("malformed references are mistakes at their offset, all of them", () => {
  expect(parse("a ${} b ${foo} c ${db.a.b} ${ db.host } ${1.x} ${db.}")).toEqual([
    "2:${}",
    "8:${foo}",
    "17:${db.a.b}",
    "27:${ db.host }",
    "40:${1.x}",
    "47:${db.}",
  ]);
  expect(parse("x ${db.host")).toEqual(["2:${db.host"]);
  expect(parse("${a ${db.host}")).toEqual(["0:${a "]);
  expect(parse("${self.*.x}${run.id}${plan.name}${env.A-B}")).toHaveLength(4);
});

test("a replica by number belongs to compiled text only", () => {
  expect(parse("${web.2.host}")).toEqual(["0:${web.2.host}"]);
  expect(parse("${web.2.host}", "compiled")).toEqual([
    { kind: "service", service: "web", replica: 2, attribute: "host" },
  ]);
});

test("in a command everything but a reference stays the shell's", () => {
  const shell = 'echo ${HOME} ${X:-y} ${X#a.b} $(date) $$ ${arr[0]} ${x.y:-z} ${ "${#}"';
  expect(parse(shell, "command")).toEqual([shell]);
  expect(parse("curl ${db.host}:$${PORT} ${web.*.host}", "command")).toEqual([
    "curl ",
    { kind: "service", service: "db", replica: 0, attribute: "host" },
    ":${PORT} ",
    { kind: "service", service: "web", replica: "all", attribute: "host" },
  ]);
});

test("a template can be written back", () => {
  for (const text of ["a ${db.host} ${web.*.port} $${x} ${self.a}${var.b}${env.C}${run.name}${plan.dir}", "plain"])
    expect(templateText(parseTemplate(text, "strict").parts)).toBe(text);
  expect(referenceText({ kind: "service", service: "web", replica: 2, attribute: "host" })).toBe("${web-2.host}");
});

test.each([
  ["${", "strict"],
  ["${a.", "command"],
] as const)("long text is read in linear time: many %s, %s", async (unit, mode) => {
  expect(await growth((count) => parseTemplate(unit.repeat(count), mode), 20_000)).toBeLessThan(4);
});
