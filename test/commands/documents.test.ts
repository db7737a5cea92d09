/** docs/json-output.md, the published schemas and what the commands print say the same. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

import { checkDocument, documentSchemas, schemaName, type Schema } from "../support/documents.js";

const page = readFileSync(fileURLToPath(new URL("../../docs/json-output.md", import.meta.url)), "utf8");
const samples = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);
const documents = samples
  .map((text) => JSON.parse(text) as Record<string, unknown>)
  .filter((sample) => "command" in sample);
const schemas = documentSchemas();

test("every schema has a sample in the docs, and every sample follows its schema", () => {
  for (const sample of documents) checkDocument(sample);
  const shown = new Set(documents.map(schemaName));
  expect([...shown].sort()).toEqual([...schemas.keys()].filter((name) => name !== "shared").sort());
});

test("the table of documents names all of them", () => {
  const rows = page.slice(page.indexOf("| document"), page.indexOf("## The error document"));
  for (const name of schemas.keys())
    if (name !== "shared") expect(rows).toContain(`[${name.replace("boot-dry-run", "boot --dry-run")}]`);
});

/** The names of all properties of a schema, and of the parts that only it refers to. */
function properties(schema: unknown, found = new Set<string>()): Set<string> {
  if (typeof schema !== "object" || schema === null) return found;
  for (const [key, value] of Object.entries(schema as Schema)) {
    if (key === "properties") for (const name of Object.keys(value as Schema)) found.add(name);
    properties(value, found);
  }
  return found;
}

test("the docs name every key of every document, in backticks", () => {
  const named = new Set([...page.matchAll(/`([^`\n]+)`/g)].flatMap(([, text = ""]) => text.split(/[^A-Za-z0-9]+/)));
  const keys = new Set([...schemas.values()].flatMap((schema) => [...properties(schema)]));
  expect([...keys].filter((key) => !named.has(key))).toEqual([]);
});

test("the docs name no value of a closed list that the schemas do not know, nor the other way round", () => {
  const status = schemas.get("status") as { properties: { services: { items: { properties: Schema } } } };
  const trouble = (status.properties.services.items.properties["trouble"] as { oneOf: { enum?: string[] }[] }).oneOf;
  const table = page.slice(page.search(/\| `trouble` +\| meaning/), page.indexOf("## repair"));
  expect(trouble.flatMap((one) => one.enum ?? []).sort()).toEqual(
    [...table.matchAll(/^\| `([a-z-]+)` +\|/gm)]
      .map(([, value]) => value)
      .filter((value) => value !== "trouble")
      .sort(),
  );
  const { definitions } = schemas.get("shared") as { definitions: { step: { enum: string[] } } };
  const failures = page.slice(page.indexOf("### Failures"), page.indexOf("## boot --dry-run"));
  for (const step of definitions.step.enum) expect(failures).toContain(`\`${step}\``);
});

test("every type of event has a row in the docs, and its keys are in it", () => {
  const events = schemas.get("events") as {
    properties: { events: { items: { oneOf: { properties: { type: { const: string }; data: Schema } }[] } } };
  };
  const table = page.slice(page.indexOf("## events"), page.indexOf("## analyze"));
  for (const { properties: event } of events.properties.events.items.oneOf) {
    const row = table.split("\n").find((line) => line.startsWith(`| \`${event.type.const}\``)) ?? "";
    for (const key of Object.keys(event.data["properties"] as Schema)) expect(row).toContain(`\`${key}\``);
  }
});
