import { expect, test } from "@jest/globals";
import { describePlan } from "../../../src/plan/describe.js";
import { parseTemplate, referenceText } from "../../../src/plan/references/references.js";
import {
  isSecret,
  resolveTemplate,
  resolveTree,
  treeReferences,
  withoutSecretDefaults,
} from "../../../src/plan/references/resolve.js";
import { load } from "../planFolder.js";

test("a template's references are replaced by their values, as data", () => {
  const { parts } = parseTemplate("a ${db.host} $${x} ${var.v}", "strict");
  expect(resolveTemplate(parts, (reference) => `<${referenceText(reference)}>`)).toBe("a <${db.host}> ${x} <${var.v}>");
  expect(resolveTemplate(parts, () => "${db.host}")).toBe("a ${db.host} ${x} ${db.host}");
});

test("a tree is resolved however deep, and nothing but strings changes", async () => {
  const plan = await load(
    'plan: a\nlevels: [{ services: { web: { replicas: 2 } } }, { services: { x: { launch: { a: ["${web-2.host}", 1, true, null, { b: "$${c}" }], __proto__: "${web.*.host}" } } } }]',
  );
  const launch = plan.levels[1]?.services[0]?.launch ?? {};
  const resolved = resolveTree(launch, (reference) =>
    reference.kind === "service" ? `${reference.service}/${reference.replica}` : "?",
  );
  expect(JSON.stringify(resolved)).toBe('{"a":["web/2",1,true,null,{"b":"${c}"}],"__proto__":"web/all"}');
  expect(treeReferences(launch)).toHaveLength(2);
});

test("a template is secret if one of its references is", () => {
  const { parts } = parseTemplate("x ${var.a} ${var.b}", "strict");
  expect(isSecret(parts, (reference) => reference.kind === "variable" && reference.name === "b")).toBe(true);
  expect(isSecret(parts, () => false)).toBe(false);
});

test("a plan is stored without the defaults of secrets", async () => {
  const plan = await load("plan: a\nvariables: { s: { secret: true, default: hunter2 }, t: open }\nlevels: []");
  expect(plan.variables.map((variable) => variable.default)).toEqual(["hunter2", "open"]);
  expect(JSON.stringify(withoutSecretDefaults(plan))).not.toContain("hunter2");
  expect(withoutSecretDefaults(plan).variables[1]?.default).toBe("open");
});

test("a description says what would be started, where and by what", async () => {
  const plan = await load(
    'plan: a\nclouds: { rack: { driver: existing, hosts: [h] } }\nlevels: [{ name: one, services: { db: { replicas: 2, boot: ok.sh } } }, { services: { check: { host: "${db-1.host}", ready: { command: "ping ${db-2.host}", where: launcher } } } }]',
  );
  expect(describePlan(plan)).toEqual({
    plan: "a",
    description: "",
    file: plan.file,
    services: 3,
    machines: 2,
    levels: [
      {
        name: "one",
        services: [
          {
            name: "db",
            replicas: 2,
            cloud: "rack",
            driver: "existing",
            host: null,
            sizes: [],
            image: null,
            programs: [{ step: "boot", run: `${plan.dir}/ok.sh`, where: "machine" }],
          },
        ],
      },
      {
        name: "level-2",
        services: [
          {
            name: "check",
            replicas: 1,
            cloud: null,
            driver: null,
            host: "${db-1.host}",
            sizes: [],
            image: null,
            programs: [{ step: "ready", run: "ping ${db-2.host}", where: "launcher" }],
          },
        ],
      },
    ],
  });
});
