/** A secret is nowhere but in the programs' own hands: not on disk, not on any screen, not in a process list. */

import { test, expect } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { argumentsWith, filesWith } from "../support/traces.js";
import { installation, type Ended, type Installation } from "../support/installation.js";
import { randomBytes } from "../support/seed.js";

const fresh = (kind: string) => `${kind}-${randomBytes(12).toString("base64url")}+/='"$x`;
const forms = (value: string) => [
  value,
  Buffer.from(value).toString("base64"),
  Buffer.from(value).toString("base64").replace(/=+$/, ""),
  Buffer.from(value).toString("base64url"),
];

/** Prints what it is given in every way that programs do. */
const blab = (facts: string) => `#!/bin/sh
for value in "$VARIABLE" "$OUTPUT"; do
  [ -n "$value" ] || continue
  echo "clear $value"
  printf %s "$value" | base64
  printf 'user:%s' "$value" | base64 -w0; echo
  printf %s "$value" | cut -c1-9 | tr -d '\\n'; sleep 0.2; printf %s "$value" | cut -c10-
  printf 'error %s\\n' "$value" >&2
done
cat "$BOOTLEVEL_ATTRIBUTES"
echo done with "$1"
[ "$1" != "$FAIL" ] || exit 5
if [ "$1" = terminate ]; then printf '%s\\n%s\\n' "$VARIABLE" "$OUTPUT" > '${facts}/at-terminate'; fi
`;

const boot = (facts: string) => `#!/bin/sh
value=$(cat '${facts}/output-secret')
echo "made $value"
printf 'token=%s\\n' "$value" >> "$BOOTLEVEL_OUTPUT"
printf %s "$value" | base64
exec ./blab.sh boot
`;

function secretPlan(own: Installation, output: string, fail = "nothing"): string {
  const env = (more = "") => `env: { VARIABLE: "\${var.password}", FAIL: ${fail}${more} }`;
  const all = env(', OUTPUT: "${a.token}"');
  const self = env(', OUTPUT: "${self.token}"');
  own.plan("", { "output-secret": output }, "facts");
  return own.plan(
    `plan: secrets
variables: { password: { secret: true, env: SHOP_PASSWORD } }
levels:
  - name: one
    services:
      a:
        attributes: { shown: "no secret", password: "\${var.password}" }
        outputs: [{ name: token, secret: true }]
        boot: { program: boot.sh, files: [blab.sh], ${env()} }
        ready: { program: blab.sh, args: [ready], ${self}, retries: 0 }
        terminate: { program: blab.sh, args: [terminate], ${self} }
  - name: two
    services:
      b: { boot: { program: blab.sh, args: [second, "\${run.name}"], ${all}, where: launcher }, ready: { command: "echo \${a.token} '\${var.password}'; ./blab.sh", files: [blab.sh], ${all}, retries: 0 } }
`,
    { "blab.sh": blab(own.facts), "boot.sh": boot(own.facts) },
  );
}

async function lookEverywhere(
  own: Installation,
  run: string,
  calls: Ended[],
  needles: string[],
  env: Record<string, string>,
): Promise<void> {
  for (const words of [
    ["show", run],
    ["logs", run],
    ["events", run],
    ["show", run, "--json"],
    ["logs", run, "--json"],
  ])
    calls.push(await own.call(words, { env }));
  for (const { stdout, stderr } of calls)
    for (const needle of needles)
      expect(
        [stdout, stderr].join().includes(needle)
          ? `shown: …${[stdout, stderr].join().split(needle)[0]?.slice(-300) ?? ""}`
          : "",
      ).toBe("");
  expect(filesWith(own.home, needles)).toEqual([]);
}

test.each([
  ["a key of its own", {}],
  ["BOOTLEVEL_KEY", { BOOTLEVEL_KEY: randomBytes(32).toString("base64") }],
])(
  "with %s: secrets are in no file and no output of any command, and later programs still get them",
  async (_what, key) => {
    const own = installation();
    const [password, token] = [fresh("password"), fresh("token")];
    const needles = [...forms(password), ...forms(token)];
    const folder = secretPlan(own, token);
    const calls = [
      await own.call(["boot", folder, "--name", "s", "--verbose"], { env: { ...key, SHOP_PASSWORD: password } }),
    ];
    expect(calls[0]?.code).toBe(0);
    expect(calls[0]?.stdout).toContain("clear [secret]");
    expect(calls[0]?.stdout).toContain("no secret");
    for (const words of [
      ["status", "s"],
      ["status", "s", "--json"],
    ])
      calls.push(await own.call(words, { env: key }));
    expect(calls.map(({ code }) => code)).toEqual([0, 0, 0]);
    await lookEverywhere(own, "s", calls, needles, key);
    calls.push(await own.call(["terminate", "s", "--yes", "--verbose"], { env: key }));
    expect(calls.at(-1)?.code).toBe(0);
    expect(own.fact("at-terminate")).toBe(`${password}\n${token}\n`);
    await lookEverywhere(own, "s", calls, needles, key);
  },
);

test.each(["boot", "ready", "second", "terminate"])(
  "a %s program that fails and prints secrets shows none of them",
  async (fail) => {
    const own = installation();
    const [password, token] = [fresh("password"), fresh("token")];
    const env = { SHOP_PASSWORD: password };
    const calls = [
      await own.call(["boot", secretPlan(own, token, fail), "--name", "s", "--json", "--verbose"], { env }),
    ];
    expect(calls[0]?.code).toBe(fail === "terminate" ? 0 : 1);
    calls.push(await own.call(["status", "s"]), await own.call(["terminate", "s", "--yes"]));
    // After a failed boot the terminate program's ${self.token} has no value: that needs --force.
    expect(calls.at(-1)?.code).toBe(fail === "terminate" || fail === "boot" ? 1 : 0);
    await lookEverywhere(own, "s", calls, [...forms(password), ...forms(token)], {});
  },
);

test("a secret stands in no process list while programs run, not even for a moment", async () => {
  const own = installation();
  const [password, token] = [fresh("password"), fresh("token")];
  const needles = [...forms(password), ...forms(token)];
  const wait = `touch '${own.facts}/'$BOOTLEVEL_SERVICE; until test -f '${own.facts}/go-'$BOOTLEVEL_SERVICE; do sleep 0.05; done`;
  own.plan("", { "output-secret": token }, "facts");
  const folder = own.plan(`plan: ps
variables: { password: { secret: true, env: SHOP_PASSWORD } }
levels:
  - name: one
    services:
      a: { attributes: { copy: "\${var.password}" }, outputs: [{ name: token, secret: true }], boot: { command: "test -n \${var.password}; { printf token=; cat '${own.facts}/output-secret'; echo; } >> $BOOTLEVEL_OUTPUT; ${wait}", env: { P: "\${var.password}" } } }
  - name: two
    services:
      b: { boot: { command: "test -n '\${a.token}'; ${wait}", env: { T: "\${a.token}", P: "\${a.copy}" } } }
      c: { boot: { command: "test -n '\${a.token}'; ${wait}", env: { T: "\${a.token}" }, where: launcher } }
`);
  const running = own.start(["boot", folder, "--name", "ps"], { env: { SHOP_PASSWORD: password } });
  const seen = new Set<string>();
  let over = false;
  const stop = () => {
    over = true;
  };
  void running.ended.then(stop, stop);
  const watching = (async () => {
    while (!over) {
      for (const line of argumentsWith(needles)) seen.add(line);
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
  })();
  for (const name of ["a", "b", "c"]) {
    await eventually(`${name} runs`, () => own.fact(name) !== null);
    expect(filesWith(own.home, needles)).toEqual([]);
    own.plan("", { [`go-${name}`]: "" }, "facts");
  }
  expect(await running.ended).toMatchObject({ code: 0 });
  await watching;
  expect([...seen]).toEqual([]);
});

test("a secret that an operator gives by --var-file is kept like one from the environment; a mistake in that file shows no value", async () => {
  const own = installation();
  const password = fresh("password").replaceAll("'", "");
  const folder = secretPlan(own, fresh("token"));
  own.plan(
    "",
    {
      "good.yaml": `password: '${password}'\n`,
      "bad.yaml": `password: '${password}'\npasword: '${password}'\n`,
      "broken.yaml": `password: "${password}\n  x: [\n`,
    },
    "vars",
  );
  const calls = [];
  for (const [file, code] of [
    ["bad.yaml", 2],
    ["broken.yaml", 2],
    ["good.yaml", 0],
  ] as const) {
    calls.push(await own.call(["boot", folder, "--name", "f", "--var-file", `${own.directory}/vars/${file}`]));
    expect(calls.at(-1)?.code).toBe(code);
  }
  await lookEverywhere(own, "f", calls, forms(password), {});
});

test("another BOOTLEVEL_KEY than that of the boot is refused with what to do, and the run can be ended with the right one", async () => {
  const own = installation();
  const key = () => ({ BOOTLEVEL_KEY: randomBytes(32).toString("hex") });
  const [first, second] = [key(), key()];
  expect(
    await own.call(["boot", secretPlan(own, fresh("token")), "--name", "k"], {
      env: { ...first, SHOP_PASSWORD: fresh("p") },
    }),
  ).toMatchObject({ code: 0 });
  for (const env of [second, {}, { BOOTLEVEL_KEY: "short" }]) {
    const ended = await own.call(["terminate", "k", "--yes"], { env });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/key/);
  }
  expect(await own.call(["terminate", "k", "--yes"], { env: first })).toMatchObject({ code: 0 });
});

test("a long secret that `base64` writes in several lines is taken out of each of them, and a text of many lines is too", async () => {
  const own = installation();
  const long = randomBytes(90).toString("base64url");
  const key = [
    "-----BEGIN KEY-----",
    ...Array.from({ length: 4 }, () => randomBytes(48).toString("base64")),
    "-----END KEY-----",
  ].join("\n");
  own.plan("", { "values.yaml": JSON.stringify({ long, key }) }, "vars");
  const folder = own.plan(
    "plan: wrapped\nvariables: { long: { secret: true }, key: { secret: true } }\nlevels:\n  - name: one\n    services:\n      a: { boot: { program: show.sh, env: { LONG: '${var.long}', KEY: '${var.key}' } } }\n",
    {
      "show.sh":
        '#!/bin/sh\nfor value in "$LONG" "$KEY"; do\n  printf %s "$value" | base64\n  printf %s "$value" | base64 -w64\n  printf \'%s\\n\' "$value"\ndone\n',
    },
  );
  const calls = [
    await own.call(["boot", folder, "--name", "w", "--verbose", "--var-file", `${own.directory}/vars/values.yaml`]),
  ];
  expect(calls[0]?.code).toBe(0);
  const lines = [long, key].flatMap((value) =>
    [64, 76].flatMap(
      (width) =>
        Buffer.from(value)
          .toString("base64")
          .match(new RegExp(`.{${width}}`, "g")) ?? [],
    ),
  );
  await lookEverywhere(own, "w", calls, [long, ...key.split("\n").slice(1, -1), ...lines], {});
});
