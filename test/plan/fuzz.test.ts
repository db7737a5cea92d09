import { expect, test } from "@jest/globals";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadPlan } from "../../src/plan/load.js";
import { PlanError } from "../../src/plan/yaml/mistakes.js";
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

/** A small generator with a seed, so that a failure can be repeated. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
}

function mutate(text: string, random: (below: number) => number): string {
  const at = random(text.length);
  switch (random(4)) {
    case 0:
      return text.slice(0, at) + (BITS[random(BITS.length)] ?? "") + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random(12));
    case 2: {
      const from = random(text.length);
      return text.slice(0, at) + text.slice(from, from + random(40)) + text.slice(at);
    }
    default: {
      const lines = text.split("\n");
      lines.splice(random(lines.length), 1);
      return lines.join("\n");
    }
  }
}

test("the plan that is mutated is a good one", async () => {
  expect((await loadPlan(join(planFolder({ "plan.yaml": PLAN }), "plan.yaml"))).levels).toHaveLength(2);
});

test.each([1, 2, 3])("random mutations of a good plan fail as plans or load (seed %d)", async (seed) => {
  const random = randomNumbers(seed);
  const file = join(planFolder({}), "plan.yaml");
  let mistaken = 0;
  for (let round = 0; round < 300; round++) {
    let text = PLAN;
    for (let count = random(3); count >= 0; count--) text = mutate(text, random);
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
