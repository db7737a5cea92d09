/** What references give, and that a value arrives byte for byte and is never parsed by anything. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";

test("every kind of reference gives its value", async () => {
  const own = installation();
  const report = (name: string) => `#!/bin/sh\nprintf '%s\\n' "$@" > '${own.facts}/${name}'\n`;
  const folder = own.plan(
    `plan: refs
variables: { greeting: Hello }
levels:
  - name: storage
    services:
      db:
        attributes: { port: 5432, url: "db://\${self.host}/\${var.greeting}" }
        outputs: [cluster_id, pem]
        boot: boot-db.sh
  - name: web
    services:
      web: { replicas: 3, outputs: [id], boot: { command: "echo id=w$BOOTLEVEL_REPLICA >> $BOOTLEVEL_OUTPUT" } }
  - name: edge
    services:
      edge:
        boot:
          program: edge.sh
          args: ["\${db.host}", "\${db.port}", "\${db.url}", "\${db.cluster_id}", "\${db.pem}", "\${web-2.host}", "\${web-2.id}", "\${web.*.host}", "\${web.*.id}", "\${self.hostname}",
                 "\${self.replica}/\${self.replicas}", "\${run.name}", "\${plan.dir}", "\${var.greeting}", "\${env.FROM_LAUNCHER}", "$\${db.host}", "\${web-3.replica} of \${web-3.replicas}", "\${db.cloud}"]
`,
    {
      "boot-db.sh": `#!/bin/sh\nprintf 'cluster_id=c 1=2\\npem<<END\\n-----BEGIN\\n\\n  two  \\n-----END\\nEND\\n' >> "$BOOTLEVEL_OUTPUT"\ncp "$BOOTLEVEL_ATTRIBUTES" '${own.facts}/attributes'\necho "$BOOTLEVEL_RUN $BOOTLEVEL_SERVICE $BOOTLEVEL_REPLICA $BOOTLEVEL_LEVEL" > '${own.facts}/identity'\n`,
      "edge.sh": report("edge"),
    },
  );
  const ended = await own.call(["boot", folder, "--name", "refs"], { env: { FROM_LAUNCHER: "out there" } });
  expect(ended).toMatchObject({ code: 0 });
  const { document } = await own.json(["show", "refs"]);
  const hosts = new Map<string, string>(
    document.levels.flatMap((level: { services: { name: string; host: string }[] }) =>
      level.services.map(({ name, host }) => [name, host]),
    ),
  );
  const host = (name: string) => hosts.get(name) as string;
  expect(own.fact("edge")).toBe(
    [
      host("db"),
      "5432",
      `db://${host("db")}/Hello`,
      "c 1=2",
      "-----BEGIN\n\n  two  \n-----END",
      host("web-2"),
      "w2",
      `${host("web-1")},${host("web-2")},${host("web-3")}`,
      "w1,w2,w3",
      host("edge"),
      "1/1",
      "refs",
      folder,
      "Hello",
      "out there",
      "${db.host}",
      "3 of 3",
      "local",
      "",
    ].join("\n"),
  );
  const known = JSON.parse(own.fact("attributes") ?? "") as Record<string, string>;
  expect(known).toMatchObject({
    host: host("db"),
    port: "5432",
    url: `db://${host("db")}/Hello`,
    replica: "1",
    replicas: "1",
  });
  expect(Object.values(known).every((value) => typeof value === "string")).toBe(true);
  expect(own.fact("identity")).toBe("refs db 1 storage\n");
});

/**
 * Values that a shell, a YAML reader, printf, echo or an option parser would change or carry out; `@` stands for a file
 * that must not appear.
 */
const nasty: Readonly<Record<string, string>> = {
  quotes: `it's "quoted" \\ and \\n and \\\\ end\\`,
  newlines: "first\n\n  third\t\r\nlast\n\n",
  substitution: "$(touch '@') `touch '@'` ${HOME} $HOME $((1+1)) ;touch '@' & | > '@' *",
  closing: `'; touch '@'; echo '"; touch '@'; echo "`,
  unicode: "Grüße 🚀 \u202e مرحبا \ufeff é é",
  dashes: "-n --help -e",
  dash: "--",
  reference: "${db.host} $${x} %s %d {{y}}",
  blanks: "  leading and trailing  ",
  empty: "",
  controls: "\u0001\u0007\u001b[31mred\u007f",
};

function nastyValues(own: Installation): Map<string, string> {
  return new Map(
    Object.entries(nasty).map(([name, value]) => [name, value.replaceAll("@", join(own.facts, "TOUCHED"))]),
  );
}

const places = (name: string) => `
      ${name}-service:
        attributes: { value: "\${var.${name}}" }
        boot:
          program: collect.sh
          args: ["${name}.arg", "\${self.value}"]
          env: { VALUE: "\${self.value}" }
        ready: { command: "printf %s \${self.value} > '@FACTS/${name}.bare'; printf %s \\"<\${self.value}>\\" > '@FACTS/${name}.double'; printf %s '<\${self.value}>' > '@FACTS/${name}.single'" }`;

test("values arrive byte for byte in arguments, the environment, command lines and the attributes file, and nothing in them is carried out", async () => {
  const own = installation();
  const values = nastyValues(own);
  const services = [...values.keys()].map((name) => places(name).replaceAll("@FACTS", own.facts)).join("");
  const folder = own.plan(
    `plan: nasty\nvariables: { ${[...values.keys()].map((name) => `${name}: {}`).join(", ")} }\nlevels:\n  - name: one\n    services:${services}\n`,
    {
      "collect.sh": `#!/bin/sh\nfacts='${own.facts}'\nprintf %s "$2" > "$facts/$1"\nprintf %s "$VALUE" > "$facts/$1.env"\ncp "$BOOTLEVEL_ATTRIBUTES" "$facts/$1.json"\n`,
      "values.yaml": JSON.stringify(Object.fromEntries(values)),
    },
  );
  const ended = await own.call(["boot", folder, "--name", "nasty", "--var-file", join(folder, "values.yaml")]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  for (const [name, value] of values) {
    const seen = {
      arg: own.fact(`${name}.arg`),
      env: own.fact(`${name}.arg.env`),
      attribute: (JSON.parse(own.fact(`${name}.arg.json`) ?? "{}") as { value: string }).value,
      bare: own.fact(`${name}.bare`),
      double: own.fact(`${name}.double`),
      single: own.fact(`${name}.single`),
    };
    expect([name, seen]).toEqual([
      name,
      { arg: value, env: value, attribute: value, bare: value, double: `<${value}>`, single: `<${value}>` },
    ]);
  }
  expect(existsSync(join(own.facts, "TOUCHED"))).toBe(false);
});

test("outputs pass every byte on to the next level, and nothing in them is carried out", async () => {
  const own = installation();
  const values = nastyValues(own);
  const folder = own.plan(
    `plan: outputs\nlevels:\n  - name: one\n    services:\n      from: { outputs: [${[...values.keys()].join(", ")}], boot: { program: publish.mjs } }\n  - name: two\n    services:\n      to: { boot: { program: collect.sh, args: [${[...values.keys()].map((name) => `"\${from.${name}}"`).join(", ")}] } }\n`,
    {
      "publish.mjs": `#!${process.execPath}\nimport { appendFileSync } from "node:fs";\nfor (const [name, value] of Object.entries(${JSON.stringify(Object.fromEntries(values))})) appendFileSync(process.env.BOOTLEVEL_OUTPUT, name + "<<E N D\\n" + value + "\\nE N D\\n");\n`,
      "collect.sh": `#!/bin/sh\nfor value in "$@"; do n=$((n+1)); printf %s "$value" > '${own.facts}'/$n; done\n`,
    },
  );
  expect(await own.call(["boot", folder])).toMatchObject({ code: 0, stderr: "" });
  expect([...values.values()].map((_, index) => own.fact(String(index + 1)))).toEqual([...values.values()]);
  expect(existsSync(join(own.facts, "TOUCHED"))).toBe(false);
});

test("--var takes everything after the first = as it is", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: vars\nvariables: { a: x, b: x, c: x }\nlevels:\n  - name: one\n    services:\n      one: { boot: { program: p.sh, args: ['${var.a}', '${var.b}', '${var.c}'] } }\n",
    { "p.sh": `#!/bin/sh\nprintf '<%s>' "$@" > '${own.facts}/seen'\n` },
  );
  expect(await own.call(["boot", folder, "--var", "a=b=c, d", "--var", "b=", "--var=c=-v --help"])).toMatchObject({
    code: 0,
  });
  expect(own.fact("seen")).toBe("<b=c, d><><-v --help>");
});

test("a value of a megabyte arrives whole in the attributes file; as an argument it is refused with what to do instead", async () => {
  const own = installation();
  const text = "grüß $(x) '\"\\\n".repeat(70_000);
  const folder = own.plan(
    `plan: large\nlevels:\n  - name: one\n    services:\n      from: { outputs: [text], boot: { program: publish.mjs } }\n  - name: two\n    services:\n      to: { attributes: { text: "\${from.text}" }, boot: { command: "cp $BOOTLEVEL_ATTRIBUTES '${own.facts}/attributes'" } }\n  - name: three\n    services:\n      argument: { boot: { command: "touch '${own.facts}/ran'", args: ["\${from.text}"] } }\n`,
    {
      "publish.mjs": `#!${process.execPath}\nimport { appendFileSync } from "node:fs";\nappendFileSync(process.env.BOOTLEVEL_OUTPUT, "text<<END\\n" + ${JSON.stringify("grüß $(x) '\"\\\n")}.repeat(70000) + "\\nEND\\n");\n`,
    },
  );
  const { code, document } = await own.json(["boot", folder]);
  expect((JSON.parse(own.fact("attributes") ?? "{}") as { text: string }).text === text).toBe(true);
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "argument" }]);
  expect(document.failures[0].message).toContain("BOOTLEVEL_ATTRIBUTES");
  expect(own.fact("ran")).toBeNull();
});
