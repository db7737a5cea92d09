import { expect, test } from "@jest/globals";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadPlan } from "../../src/plan/load.js";
import { PlanError } from "../../src/plan/yaml/mistakes.js";
import { randomBelow } from "../support/seed.js";
import { planFolder } from "./planFolder.js";

const PLAN = `plan: web-shop
variables: { greeting: Hello, password: { secret: true, env: PASSWORD } }
clouds:
  here: { driver: local }
  rack: { driver: existing, hosts: [10.0.0.4, { host: 10.0.0.5, port: 22 }] }
defaults: { cloud: here, timeout: 20m, ssh: { user: ubuntu } }
levels:
  - name: storage
    services:
      db: &db
        attributes: { port: 5432, url: "\${var.password}" }
        outputs: [cluster_id, { name: token, secret: true }]
        boot: ok.sh
  - services:
      web:
        <<: *db
        replicas: 3
        boot: { program: ok.sh, args: [--db, "\${db.host}:\${db.port}"], env: { TOKEN: "\${db.token}" } }
        ready: { command: "curl \${self.host}", every: 2s, retries: 3 }
      check: { host: "\${db.host}", ready: { program: ok.sh, where: launcher } }
`;
const BITS = [
  "{",
  "}",
  "[",
  "]",
  ":",
  "&a",
  "*a",
  "*db",
  "${",
  "}",
  "<<: *db",
  "- ",
  "\n",
  "  ",
  "\t",
  "__proto__",
  "constructor: 1",
  "valueOf: {}",
  "null",
  "~",
  "!!str",
  "'",
  '"',
  "|",
  "$${",
  "-1",
  "true",
  "\0",
  "é",
  "\u202e",
  "---\n",
  "file: ok.sh",
  "? ",
  "${self.x}",
  "hosts: [{ valueOf: 1 }, { valueOf: 1 }]",
];

function mutate(text: string): string {
  const at = randomBelow(text.length);
  switch (randomBelow(4)) {
    case 0:
      return text.slice(0, at) + (BITS[randomBelow(BITS.length)] ?? "") + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + randomBelow(12));
    case 2: {
      const from = randomBelow(text.length);
      return text.slice(0, at) + text.slice(from, from + randomBelow(40)) + text.slice(at);
    }
    default: {
      const lines = text.split("\n");
      lines.splice(randomBelow(lines.length), 1);
      return lines.join("\n");
    }
  }
}

test("the plan that is mutated is a good one", async () => {
  expect((await loadPlan(join(planFolder({ "plan.yaml": PLAN }), "plan.yaml"))).levels).toHaveLength(2);
});

test.each([1, 2, 3])("random mutations of a good plan fail as plans or load (part %d)", async () => {
  const file = join(planFolder({}), "plan.yaml");
  let mistaken = 0;
  for (let round = 0; round < 300; round++) {
    let text = PLAN;
    for (let count = randomBelow(3); count >= 0; count--) text = mutate(text);
    writeFileSync(file, text);
    const error: unknown = await loadPlan(file).then(
      (plan) => void JSON.stringify(plan),
      (reason: unknown) => reason,
    );
    if (error === undefined) continue;
    if (!(error instanceof PlanError)) throw new Error(`not a plan's mistake:\n${text}`, { cause: error });
    expect(error.mistakes.length).toBeGreaterThan(0);
    expect(error.message).not.toMatch(/undefined|\[object|NaN/);
    mistaken++;
  }
  expect(mistaken).toBeGreaterThan(100);
});
