import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { mistakesOf } from "../planFolder.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const schema = JSON.parse(
  readFileSync(new URL("../../../schemas/launch-plan.schema.json", import.meta.url), "utf8"),
) as Record<string, Json>;

function isMap(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Paths of the keys that an editor would show without a word; `then` only narrows what is described elsewhere. */
function undescribed(value: Json, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => undescribed(item, `${path}/${index}`));
  if (!isMap(value)) return [];
  const own =
    isMap(value.properties) && !path.endsWith("/then") && !path.endsWith("/if")
      ? Object.entries(value.properties)
          .filter(
            ([, property]) =>
              !isMap(property) || (property.description === undefined && !isDescribedReference(property)),
          )
          .map(([key]) => `${path}/${key}`)
      : [];
  return [
    ...own,
    ...Object.entries(value)
      .filter(([key]) => key !== "examples")
      .flatMap(([key, item]) => undescribed(item, `${path}/${key}`)),
  ];
}

function isDescribedReference(property: { [key: string]: Json }): boolean {
  const target = typeof property.$ref === "string" ? (property.$ref.split("/").at(-1) ?? "") : "";
  const definitions = schema.definitions;
  const definition = isMap(definitions) ? definitions[target] : undefined;
  return isMap(definition) && definition.description !== undefined;
}

test("every key has words for the editor to show", () => {
  expect(undescribed(schema, "")).toEqual([]);
});

test("the schema is valid draft-07 for anybody's validator", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
  expect(ajv.validateSchema(schema)).toBe(true);
  const validate = ajv.compile(schema);
  expect(validate({ plan: "a", levels: [{ services: { web: { boot: "x.sh", timeout: "1h30m" } } }] })).toBe(true);
  for (const levels of [
    [{ services: { self: {} } }],
    [{ services: { web: { needs: [] } } }],
    [{ file: "x", name: "y" }],
    [{ services: { web: { boot: { program: "a", command: "b" } } } }],
  ]) {
    expect(validate({ plan: "a", levels })).toBe(false);
  }
});

test("a map takes only the keys that it knows", async () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
  const validate = ajv.compile(schema);
  const service = {
    ssh: { x: 1 },
    boot: { program: "a", x: 1 },
    ready: { program: "a", x: 1 },
    outputs: [{ name: "a", x: 1 }],
  };
  for (const [key, value] of Object.entries(service))
    expect([key, validate({ plan: "a", levels: [{ services: { web: { [key]: value } } }] })]).toEqual([key, false]);
  expect(await mistakesOf("plan: a\nx-mine: { anything: 1 }\nlevels: []\nextra: 1")).toEqual([
    expect.stringContaining('4: unknown key "extra" in the plan'),
  ]);
});
