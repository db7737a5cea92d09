/** Many services, many levels, odd places: the shape of a plan does not change what is promised. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { installation } from "../support/installation.js";

/**
 * Notes how many programs run while it runs, itself among them: each holds a file in `running` meanwhile. The first
 * three wait for each other.
 */
const counting = (facts: string) => `#!/bin/sh
mkdir -p '${facts}/running' '${facts}/counts'
: > '${facts}/running/'"$BOOTLEVEL_SERVICE"
echo >> '${facts}/begun'
until [ "$(wc -l < '${facts}/begun')" -ge 3 ]; do sleep 0.05; done
ls '${facts}/running' | wc -l > '${facts}/counts/'"$BOOTLEVEL_SERVICE.$1"
sleep 0.05
rm '${facts}/running/'"$BOOTLEVEL_SERVICE"
`;

test("a plan with concurrency 3 and 12 services never has more than 3 programs at once, and does use all 3", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: limit
concurrency: 3
levels:
  - name: one
    services:
      a: { replicas: 6, boot: { program: count.sh, args: [boot] }, ready: { program: count.sh, args: [ready] }, terminate: { program: count.sh, args: [terminate] } }
      b: { replicas: 6, boot: { program: count.sh, args: [boot], where: launcher }, ready: { program: count.sh, args: [ready] } }
`,
    { "count.sh": counting(own.facts) },
  );
  expect(await own.call(["boot", folder, "--name", "limit"])).toMatchObject({ code: 0 });
  expect(await own.call(["status", "limit"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "limit", "--yes"])).toMatchObject({ code: 0 });
  const { readdirSync, readFileSync } = await import("node:fs");
  const names = readdirSync(join(own.facts, "counts"));
  const counts = names.map((name) => Number(readFileSync(join(own.facts, "counts", name), "utf8")));
  expect(names).toHaveLength(12 + 12 + 6);
  expect(Math.max(...counts)).toBe(3);
});

test("status runs the ready programs of all levels side by side", async () => {
  const own = installation();
  // Once they are told to, each of the sixty waits for all the others: one level after the other they would never end.
  const wait = `test ! -f '${own.facts}/meet' || { echo >> '${own.facts}/met'; until [ $(wc -l < '${own.facts}/met') -ge 60 ]; do sleep 0.2; done; }`;
  const levels = ["one", "two", "three"].map(
    (name) =>
      `  - { name: ${name}, services: { ${name}: { replicas: 20, ready: { command: "${wait}", retries: 0 } } } }\n`,
  );
  expect(await own.call(["boot", own.plan(`plan: wide\nlevels:\n${levels.join("")}`), "--name", "wide"])).toMatchObject(
    { code: 0 },
  );
  writeFileSync(join(own.facts, "meet"), "");
  const { code, document } = await own.json(["status", "wide"]);
  expect(code).toBe(0);
  expect(document.services).toHaveLength(60);
  expect(own.fact("met")).toBe("\n".repeat(60));
});

test("status never runs more ready programs at once than the plan's concurrency, and does run as many", async () => {
  const own = installation();
  const file = (name: string) => `'${own.facts}/${name}'`;
  // The first seven wait for each other, so that seven are at once whatever the machine's speed; each counts those that
  // run beside it.
  const folder = own.plan(
    `plan: seven\nconcurrency: 7\nlevels:\n  - name: one\n    services:\n      a: { replicas: 15, ready: { program: count.sh } }\n  - name: two\n    services:\n      b: { replicas: 15, ready: { program: count.sh } }\n`,
    {
      "count.sh": `#!/bin/sh
test -f ${file("go")} || exit 0
: > ${file("running")}/"$BOOTLEVEL_SERVICE"
echo x >> ${file("begun")}
until [ "$(wc -l < ${file("begun")})" -ge 7 ]; do sleep 0.05; done
ls ${file("running")} | wc -l > ${file("counts")}/"$BOOTLEVEL_SERVICE"
sleep 0.1
rm ${file("running")}/"$BOOTLEVEL_SERVICE"
`,
    },
  );
  expect(await own.call(["boot", folder, "--name", "seven"])).toMatchObject({ code: 0 });
  const { mkdirSync, readdirSync, readFileSync } = await import("node:fs");
  for (const name of ["running", "counts"]) mkdirSync(join(own.facts, name));
  writeFileSync(join(own.facts, "go"), "");
  expect(await own.call(["status", "seven"])).toMatchObject({ code: 0 });
  const counts = readdirSync(join(own.facts, "counts")).map((name) =>
    Number(readFileSync(join(own.facts, "counts", name), "utf8")),
  );
  expect(counts).toHaveLength(30);
  expect(Math.max(...counts)).toBe(7);
});

test("services of one level run side by side", async () => {
  const own = installation();
  // Each waits for all the others: one after the other they would never end.
  const folder = own.plan(
    `plan: together\nlevels:\n  - name: one\n    services:\n      web: { replicas: 8, timeout: 20s, boot: { command: "touch '${own.facts}/'$BOOTLEVEL_SERVICE; until [ $(ls '${own.facts}' | wc -l) = 8 ]; do sleep 0.05; done" } }\n`,
  );
  expect(await own.call(["boot", folder])).toMatchObject({ code: 0 });
});

test("sixty services boot, and end", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: sixty\nlevels:\n  - name: one\n    services:\n      web: { replicas: 60, boot: { command: "echo x >> '${own.facts}/booted'" } }\n`,
  );
  const booted = await own.json(["boot", folder, "--name", "sixty"]);
  expect(booted).toMatchObject({ code: 0 });
  expect(own.fact("booted")).toBe("x\n".repeat(60));
  const { document } = await own.json(["show", "sixty"]);
  const services = document.levels[0].services as { name: string; host: string }[];
  expect(services.map(({ name }) => name)).toEqual(Array.from({ length: 60 }, (_, index) => `web-${index + 1}`));
  expect(new Set(services.map(({ host }) => host)).size).toBe(60);
  expect((await own.json(["terminate", "sixty"])).document.runs[0].terminated).toHaveLength(60);
});

test("twelve levels, some of them empty, run in order", async () => {
  const own = installation();
  const levels = Array.from({ length: 12 }, (_, index) =>
    index % 5 === 4
      ? `  - { name: l${index}, services: {} }`
      : `  - name: l${index}\n    services:\n      s${index}: { boot: { command: "sleep 0.0$((9 - ${index % 9})); echo ${index} >> '${own.facts}/order'" } }`,
  );
  expect(
    await own.call(["boot", own.plan(`plan: twelve\nlevels:\n${levels.join("\n")}\n`), "--name", "twelve"]),
  ).toMatchObject({ code: 0 });
  expect(own.fact("order")).toBe([0, 1, 2, 3, 5, 6, 7, 8, 10, 11].map((number) => `${number}\n`).join(""));
  expect(await own.call(["terminate", "twelve", "--yes"])).toMatchObject({ code: 0 });
});

test("no program of a level starts before every service of the one below is ready, not merely booted", async () => {
  const own = installation();
  const folder = own.plan(`plan: order
levels:
  - name: one
    services:
      slow: { boot: { command: "echo boot >> '${own.facts}/order'" }, ready: { command: "sleep 0.6; echo ready >> '${own.facts}/order'" } }
      quick: { boot: { command: "true" } }
  - name: two
    services:
      next: { boot: { command: "echo next >> '${own.facts}/order'" } }
`);
  expect(await own.call(["boot", folder])).toMatchObject({ code: 0 });
  expect(own.fact("order")).toBe("boot\nready\nnext\n");
});

test("a plan without levels, or with empty ones only, boots and ends", async () => {
  const own = installation();
  for (const [name, levels] of [
    ["none", "[]"],
    ["empty", "[{ name: a, services: {} }, { name: b }]"],
  ] as const) {
    const folder = own.plan(`plan: ${name}\nlevels: ${levels}\n`, {}, name);
    expect(await own.call(["boot", folder, "--name", name])).toMatchObject({ code: 0 });
    expect(await own.call(["status", name])).toMatchObject({ code: 0 });
    expect(await own.call(["terminate", name, "--yes"])).toMatchObject({ code: 0 });
  }
});

test("level files in other folders bring their programs and files from there", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: parts\nlevels:\n  - file: levels/stör age/level.yaml\n  - file: ../elsewhere/web.yaml\n",
    {
      "levels/stör age/level.yaml":
        "name: storage\nservices:\n  db: { outputs: [word], boot: { program: scripts/boot.sh, files: [conf/, ../motd.txt] } }\n",
      "levels/stör age/scripts/boot.sh":
        '#!/bin/sh\nset -e\ncd "$(dirname "$0")"\necho "word=$(cat conf/word) $(cat motd.txt)" >> "$BOOTLEVEL_OUTPUT"\n',
      "levels/stör age/conf/word": "hello",
      "levels/motd.txt": "there",
      "../elsewhere/web.yaml":
        "name: web\nservices:\n  web: { boot: { program: boot.sh, args: ['${db.word}', '${plan.dir}'] } }\n",
      "../elsewhere/boot.sh": `#!/bin/sh\nprintf '%s|' "$@" > '${own.facts}/seen'\n`,
    },
  );
  expect(await own.call(["boot", folder])).toMatchObject({ code: 0 });
  expect(own.fact("seen")).toBe(`hello there|${folder}|`);
});

test("a plan may be given as a file or a folder, absolute or relative, from anywhere", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: place\nlevels: [{ name: one, services: { a: { boot: ok.sh } } }]\n",
    { "ok.sh": `#!/bin/sh\necho x >> '${own.facts}/ran'\n` },
    "a plan – with blanks/ünd mehr",
  );
  writeFileSync(
    join(folder, "other name.yaml"),
    "plan: other\nlevels: [{ name: one, services: { a: { boot: ./ok.sh } } }]\n",
  );
  for (const [path, cwd] of [
    [folder, "/"],
    [join(folder, "launch.yaml"), "/"],
    [".", folder],
    ["ünd mehr", join(folder, "..")],
    ["./other name.yaml", folder],
  ] as const) {
    expect(await own.call(["boot", path], { cwd })).toMatchObject({ code: 0, stderr: "" });
  }
  expect(own.fact("ran")).toBe("x\n".repeat(5));
});

test("a folder with run.sh and a .tar.gz of one are programs", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: shapes\nlevels: [{ name: one, services: { a: { boot: prog }, b: { boot: prog.tar.gz } } }]\n",
    {
      "prog/run.sh": "#!/bin/sh\nset -e\n. ./lib/words.sh\nwords\n",
      "prog/lib/words.sh": `words() { echo "$BOOTLEVEL_SERVICE" > '${own.facts}/'"$BOOTLEVEL_SERVICE"; }\n`,
    },
  );
  const { execFileSync } = await import("node:child_process");
  execFileSync("tar", ["-czf", join(folder, "prog.tar.gz"), "-C", join(folder, "prog"), "."]);
  expect(await own.call(["boot", folder])).toMatchObject({ code: 0, stderr: "" });
  expect(own.factNames()).toEqual(["a", "b"]);
});
