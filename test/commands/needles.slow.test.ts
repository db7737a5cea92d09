/**
 * One plan with secrets in every place. Afterwards the values are searched for, in every spelling, in the whole state
 * directory, in all that any command printed, in process lists, and on the machines.
 */
import { readFileSync } from "node:fs";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Ended, type Installation } from "../support/installation.js";
import { randomBytes } from "../support/seed.js";
import { argumentsWith, filesBelow } from "../support/traces.js";

/** Signs that encodings write differently, between letters that are searched for. */
const fresh = (kind: string) => {
  const part = () => randomBytes(9).toString("hex");
  return `${kind}${part()}&<'"${part()}`;
};

/** What must be nowhere: each half of a value, which no encoding but these changes. */
function needles(value: string): Buffer[] {
  const halves = value.split(/[^A-Za-z0-9]+/);
  const encoded = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), Buffer.from(value)])
      .toString("base64")
      .slice(4, -4),
  );
  return [...halves, ...encoded, ...halves.map((half) => Buffer.from(half).toString("hex"))].map((text) =>
    Buffer.from(text),
  );
}

/** Prints its values as programs of many languages do. */
const BLAB = `#!/bin/sh
echo "$0 $*"
for value in "$PASSWORD" "$TOKEN" "$URL"; do
  [ -n "$value" ] || continue
  printf '%s\\n' "clear $value"
  printf '{"go":"%s"}\\n' "$(printf %s "$value" | sed 's/"/\\\\"/g; s/&/\\\\u0026/g; s/</\\\\u003c/g')"
  printf 'url %s\\n' "$(printf %s "$value" | sed 's/&/%26/g; s/</%3c/g; s/"/%22/g')"
  printf 'html %s\\n' "$(printf %s "$value" | sed 's/&/\\&amp;/g; s/</\\&lt;/g; s/"/\\&quot;/g')"
  printf 'user:%s' "$value" | base64 -w 20
  printf %s "$value" | od -An -tx1
  printf %s "$value" | cut -c1-12 | tr -d '\\n'; sleep 0.1; printf %s "$value" | cut -c13- >&2
done
cat "$BOOTLEVEL_ATTRIBUTES"
`;

const BOOT = `#!/bin/sh
token=$(cat "$FACTS/token")
printf 'made %s\\n' "$token"; bl set early "see $token"; sleep 0.3
printf 'token=%s\\n' "$token" >> "$BOOTLEVEL_OUTPUT"
printf 'url=postgres://u:%s@h/db\\n' "$PASSWORD" >> "$BOOTLEVEL_OUTPUT"
bl say "my token is $PASSWORD" || :
. ./blab.sh
`;

/** Prints its secret output long before it sets it. */
const EXECUTE = `#!/bin/sh
later=$(cat "$FACTS/later")
printf 'will set %s\\n' "$later"; touch "$FACTS/printed"
until [ -e "$FACTS/go" ]; do sleep 0.1; done
. ./blab.sh
bl set later "$later"
[ "$FAIL" != yes ] || { printf 'failing with %s\\n' "$later"; exit 4; }
`;

function plan(own: Installation, extra = ""): string {
  const values = `FACTS: '${own.facts}', PASSWORD: "\${var.password}"`;
  const program = (more = "") => `{ program: blab.sh, env: { ${values}${more} } }`;
  const all = ', TOKEN: "${self.token}", URL: "${self.url}"';
  return own.plan(
    `plan: needles
variables:
  password: { secret: true, env: SHOP_PASSWORD }
  fail: { default: "no" }
${extra}
images:
  base: { recipe: { command: "echo recipe $PASSWORD", env: { PASSWORD: "\${var.password}" } } }
levels:
  - name: one
    services:
      a:
        image: base
        attributes: { copy: "\${var.password}" }
        outputs: [{ name: token, secret: true }, url, early, { name: later, secret: true }]
        boot: { program: boot.sh, files: [blab.sh], env: { ${values} } }
        ready: { program: blab.sh, env: { ${values}${all} }, retries: 0 }
        execute: { program: execute.sh, files: [blab.sh], env: { ${values}, FAIL: "\${var.fail}" } }
        report: ${program(all)}
        terminate: ${program(all)}
  - name: two
    services:
      b:
        boot: { command: "echo \${a.url} '\${a.token}'; . ./blab.sh", files: [blab.sh], env: { ${values}, TOKEN: "\${a.token}", URL: "\${a.url}" }, where: launcher }
`,
    { "blab.sh": BLAB, "boot.sh": BOOT, "execute.sh": EXECUTE },
  );
}

class Search {
  readonly calls: Ended[] = [];
  private readonly needles: Buffer[];

  constructor(
    private readonly own: Installation,
    values: readonly string[],
  ) {
    this.needles = values.flatMap(needles);
  }

  /** Calls a command, and keeps what it printed. */
  async call(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const ended = await this.own.call(words, { env });
    this.calls.push(ended);
    return ended;
  }

  async look(run: string): Promise<void> {
    for (const command of ["show", "logs", "events", "history", "analyze", "status", "reports"])
      for (const json of [[], ["--json"]]) await this.call([command, run, ...json]);
    for (const words of [
      ["list", "--all"],
      ["list", "--all", "--json"],
      ["status", run, "--nagios"],
    ])
      await this.call(words);
    for (const { stdout, stderr } of this.calls) this.search("shown", Buffer.from(stdout + stderr));
    for (const file of filesBelow(this.own.home)) this.search(file, readFileSync(file));
  }

  processes(): string[] {
    return argumentsWith(this.needles.map(String));
  }

  private search(where: string, bytes: Buffer): void {
    for (const needle of this.needles) {
      const at = bytes.indexOf(needle);
      const around = at === -1 ? "" : bytes.subarray(Math.max(0, at - 200), at + 80).toString("latin1");
      expect({ where, around }).toEqual({ where, around: "" });
    }
  }
}

test("a run with secrets in every place leaves them nowhere", async () => {
  const own = installation();
  const [password, rotated, token, later] = ["password", "rotated", "token", "later"].map(fresh) as [
    string,
    string,
    string,
    string,
  ];
  own.plan("", { token, later }, "facts");
  const search = new Search(own, [password, rotated, token, later]);
  const env = { SHOP_PASSWORD: password };
  const folder = plan(own);
  const booting = own.start(["boot", folder, "--name", "n", "--verbose"], { env });
  await eventually("the execute program has printed its secret", () => own.fact("printed") !== null);
  await search.look("n");
  expect(search.processes()).toEqual([]);
  own.plan("", { go: "" }, "facts");
  const booted = await booting.ended;
  search.calls.push(booted);
  expect(booted).toMatchObject({ code: 0 });
  await search.look("n");
  const { document } = await own.json(["show", "n", "--json"]);
  const [service] = document.levels[0].services;
  for (const name of ["token", "url", "early", "later", "copy"])
    expect({ name, ...service.attributes[name] }).toMatchObject({ name, secret: true, value: null });

  await search.call(["reports", "n", "--collect"]);
  await search.call(["abort", "n", `because of ${token} and ${password}`]);
  await search.call(["abort", "n", "--cancel"]);
  // The password of before is still in the programs' files on the machine, and in their output.
  const reloaded = await search.call(["reload", "n", folder, "--yes", "--verbose"], { SHOP_PASSWORD: rotated });
  expect(reloaded).toMatchObject({ code: 0 });
  await search.call(["abort", "n", `not ${password}, but ${rotated}`]);
  await search.call(["abort", "n", "--cancel"]);
  await search.look("n");
  await search.call(["repair", "n", "--verbose"]);
  await search.call(["terminate", "n", "--yes", "--verbose"]);
  await search.look("n");
}, 300_000);

test.each(["setup", "execute"])(
  "a failing %s program, and errors that end commands, show no secret",
  async (failing) => {
    const own = installation();
    const [password, token, later] = ["password", "token", "later"].map(fresh) as [string, string, string];
    own.plan(
      "",
      { token, later, go: "", "vars.yaml": `fail: "yes"\npassword: ${JSON.stringify(password)}\n` },
      "facts",
    );
    const search = new Search(own, [password, token, later]);
    const folder = plan(own);
    if (failing === "setup") {
      const text = readFileSync(`${folder}/launch.yaml`, "utf8");
      own.plan(text.replace('"echo recipe $PASSWORD"', '"echo recipe $PASSWORD; exit 3"'), {
        "blab.sh": BLAB,
        "boot.sh": BOOT,
        "execute.sh": EXECUTE,
      });
    }
    const booted = await search.call(["boot", folder, "--name", "f", "--var-file", `${own.facts}/vars.yaml`, "--json"]);
    expect(booted).toMatchObject({ code: 1 });
    await search.look("f");
    await search.call(["rerun", "f", "a"]);
    await search.call(["terminate", "f", "--yes", "--force"]);
    await search.look("f");
  },
  300_000,
);

test.each([
  ["secret: yes", "password: { secret: yes, default: VALUE }"],
  ["a misspelt secret", "password: { sercet: true, default: VALUE }"],
  ["secret: 1", "password: { default: VALUE, secret: 1 }"],
  ["an unclosed quote", 'password: { secret: true, default: "VALUE }'],
  ["a default that is a list", "password: { secret: true, default: [VALUE] }"],
  ["a default that is a map", "password: { secret: true, default: { a: VALUE } }"],
  ["two defaults", "password: { secret: true, default: x, default: VALUE }"],
  ["a broken document", "password: { secret: true, default: VALUE }\n  x: ]"],
])("a mistake with %s does not show the default", async (_what, variable) => {
  const own = installation();
  const value = randomBytes(12).toString("hex");
  const folder = own.plan(
    `plan: p\nvariables:\n  ${variable.replace("VALUE", value)}\nlevels: [{ services: { a: { boot: { command: "true" } } } }]\n`,
  );
  for (const words of [
    ["validate", folder],
    ["validate", folder, "--json"],
    ["boot", folder],
  ]) {
    const { code, stdout, stderr } = await own.call(words);
    expect(code).not.toBe(0);
    expect(stdout + stderr).not.toContain(value);
  }
});

test("a pool's address must not be secret, since addresses are recorded", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: p\nvariables: { address: { secret: true, default: 192.0.2.77 } }\nclouds: { pool: { driver: existing, hosts: ["\${var.address}"] } }\nlevels: [{ services: { a: { cloud: pool, boot: { command: "true" } } } }]\n`,
  );
  const { code, stderr, stdout } = await own.call(["validate", folder]);
  expect(code).toBe(2);
  expect(stdout + stderr).toContain(
    "${var.address} is secret, but the address of a host is printed and stored in clear",
  );
  expect(stdout + stderr).not.toContain("192.0.2.77");
});
