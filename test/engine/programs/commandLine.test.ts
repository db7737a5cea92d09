/**
 * Command lines with references, carried out by a real shell: a value is one word of data wherever its reference
 * stands.
 */
import { execFileSync } from "node:child_process";

import { test, expect } from "@jest/globals";

import { compileCommandLine } from "../../../src/engine/programs/commandLine.js";
import type { Reference, Template } from "../../../src/plan/launchPlan/launchPlan.js";

const reference: Reference = { kind: "variable", name: "value" };

/** The line's output in /bin/sh; `@` in it is the reference. */
function carryOut(line: string, value: string): string {
  const template: Template = line
    .split("@")
    .flatMap((text, index) => (index === 0 ? [text] : [reference, text]))
    .filter((part) => part !== "");
  const compiled = compileCommandLine(template);
  const env = Object.fromEntries([...compiled.variables.keys()].map((name) => [name, value]));
  return execFileSync("/bin/sh", ["-c", compiled.line, "sh"], {
    cwd: "/",
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", ...env },
  });
}

const values = [
  "plain",
  "",
  "two  words",
  "*",
  "it's",
  'a "quoted" one',
  "$(echo ran)",
  "`echo ran`",
  "${PATH} $PATH",
  "\\",
  "back\\\\slash\\n",
  "-n",
  "line\nline\n\nend",
  "; echo ran",
  "# no comment",
  "Grüße 🚀",
  "~",
  "a&b|c>d<e",
  "'\"'\"'",
];

/** Each value must come out of the line as `wrap` says. */
function arrive(line: string, wrap: (value: string) => string): void {
  expect(values.map((value) => carryOut(line, value))).toEqual(values.map(wrap));
}

test.each([
  ["bare", "printf '<%s>' @"],
  ["in double quotes", 'printf "<%s>" "@"'],
  ["in single quotes", "printf '<%s>' '@'"],
])("every value arrives as one word %s", (_where, line) => {
  arrive(line, (value) => `<${value}>`);
});

test("a value is a part of a word beside other text, and beside another value", () => {
  arrive("printf '<%s>' a@b", (value) => `<a${value}b>`);
  arrive("printf '<%s>' 'a '@' b'", (value) => `<a ${value} b>`);
  arrive('printf "<%s>" "it\'s @ \\"@\\""', (value) => `<it's ${value} "${value}">`);
  arrive("printf '<%s>' @@ @", (value) => `<${value}${value}><${value}>`);
  arrive("printf '<%s>' \\'@\\'", (value) => `<'${value}'>`);
});

test("a value in quotes inside a command substitution inside double quotes is one word too", () => {
  arrive('printf "<%s>" "$(printf %s "@"; echo .)"', (value) => `<${value}.>`);
});

test("an apostrophe in a comment does not change the values on the lines after it", () => {
  arrive("# this isn't code\nprintf '<%s>' @", (value) => `<${value}>`);
  arrive("true # don't\nprintf '<%s>' \"@\"", (value) => `<${value}>`);
});

test("a value stands in a here-document as it is", () => {
  arrive("cat <<END\n<@>\nEND", (value) => `<${value}>\n`);
  arrive("cat <<END\nit's <@>\nEND", (value) => `it's <${value}>\n`);
});

test("a line without references stays as it is", () => {
  expect(compileCommandLine(["echo 'a' \"$HOME\" \\' #"])).toEqual({
    line: "echo 'a' \"$HOME\" \\' #",
    variables: new Map(),
  });
});

test("no value becomes part of the line itself, which other users could see", () => {
  const { line, variables } = compileCommandLine(["echo ", reference, " '", reference, "'"]);
  expect([...variables.values()]).toEqual([reference, reference]);
  expect(line).toMatch(/^echo "\$\{BOOTLEVEL_VALUE_1\}" ''"\$\{BOOTLEVEL_VALUE_2\}"''$/);
});
