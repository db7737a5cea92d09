import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LaunchPlan, ServiceSpec } from "../../src/plan/launchPlan/launchPlan.js";
import { loadPlan } from "../../src/plan/load.js";
import { growth } from "../support/growth.js";
import { load, mistakesOf, planError, planFolder } from "./planFolder.js";

const SSH = {
  user: userInfo().username,
  port: 22,
  identities: [],
  passphraseEnv: null,
  agent: true,
  jump: null,
  hostKeys: "known-hosts",
  knownHosts: join(homedir(), ".ssh/known_hosts"),
  cloudInit: "ignore",
  cloudInitTimeoutMs: 600_000,
  connectTimeoutMs: 30_000,
  keepaliveMs: 15_000,
};

function service(plan: LaunchPlan, name: string): ServiceSpec {
  const found = plan.levels.flatMap(({ services }) => services).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

test("a small plan compiles to exactly this", async () => {
  const folder = planFolder({
    "plan.yaml":
      'plan: tiny\nlevels:\n  - services:\n      web:\n        boot: ok.sh\n        ready: { command: "test -f ${self.host}" }\n',
  });
  const file = join(folder, "plan.yaml");
  const run = { args: [], env: {}, files: [], timeoutMs: 1_200_000, where: "machine", sudo: false };
  expect(await loadPlan(file)).toEqual({
    name: "tiny",
    description: "",
    file,
    dir: folder,
    concurrency: 64,
    prelaunch: "next",
    variables: [],
    environment: [],
    environmentSources: [],
    clouds: { local: { name: "local", driver: "local", options: {} } },
    levels: [
      {
        name: "level-1",
        services: [
          {
            name: "web",
            was: null,
            replicas: 1,
            placement: { kind: "cloud", cloud: "local" },
            image: null,
            size: null,
            fallbackSizes: [],
            launch: {},
            attributes: {},
            outputs: [],
            ssh: SSH,
            boot: { ...run, run: { kind: "file", path: join(folder, "ok.sh") } },
            ready: {
              ...run,
              run: { kind: "command", line: ["test -f ", { kind: "self", attribute: "host" }] },
              everyMs: 2_000,
              retries: null,
              windowMs: 30_000,
              bounded: false,
            },
            terminate: null,
            execute: null,
            report: null,
            inputs: [],
            imageName: null,
            logLimitBytes: 67_108_864,
            setup: [],
            source: { file, line: 4, column: 7 },
          },
        ],
      },
    ],
    keep: null,
    onFailure: "abort",
    deadlines: {},
    given: { replicas: {}, inputs: {} },
  });
});

test.each(["none", "next", "all", "just-in-time"])(
  "machines are started ahead as far as the plan says: %s",
  async (prelaunch) => {
    expect((await load(`plan: a\nprelaunch: ${prelaunch}\nlevels: []\n`)).prelaunch).toBe(prelaunch);
  },
);

test("a compiled plan survives JSON unchanged", async () => {
  const plan = await load(
    "plan: a\nvariables: { x: 1 }\nlevels:\n  - services: { web: { boot: { program: ok.sh, env: { __proto__: a, X: '${var.x}' } }, ready: { program: ok.sh, retries: 3 } } }\n",
  );
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  expect(Object.keys(service(plan, "web").boot?.env ?? {})).toEqual(["__proto__", "X"]);
});

test("the example of the documentation compiles", async () => {
  const page = readFileSync(fileURLToPath(new URL("../../docs/launch-plan.md", import.meta.url)), "utf8");
  const example = /```yaml\n([^]*?)```/.exec(page)?.[1] ?? "";
  const scripts = Object.fromEntries(
    ["db-boot", "db-ready", "db-dump", "web-boot", "check"].map((name) => [`scripts/${name}.sh`, "#!/bin/sh\n"]),
  );
  const plan = await load(example, { ...scripts, "conf/a": "", "motd.txt": "" });
  expect(plan.levels.map(({ name, services }) => [name, services.map((one) => one.name)])).toEqual([
    ["storage", ["db"]],
    ["web", ["web", "check"]],
  ]);
  expect(service(plan, "web").boot?.args).toEqual([
    ["--db"],
    [
      { kind: "service", service: "db", replica: 0, attribute: "host" },
      ":",
      { kind: "service", service: "db", replica: 0, attribute: "port" },
    ],
  ]);
  expect(service(plan, "web").boot?.files).toEqual([join(plan.dir, "conf"), join(plan.dir, "motd.txt")]);
  expect(service(plan, "check").placement).toEqual({
    kind: "host",
    host: [{ kind: "service", service: "db", replica: 0, attribute: "host" }],
  });
  expect(service(plan, "db").ready).toMatchObject({
    everyMs: 2_000,
    timeoutMs: 120_000,
    windowMs: 120_000,
    bounded: true,
    retries: null,
  });
});

test("a service's own key comes before its cloud's defaults, and those before the plan's; ssh and attributes key by key", async () => {
  const plan = await load(`
plan: a
clouds: { one: { driver: local, defaults: { size: cloud, image: cloud, ssh: { user: cloud, port: 23 }, attributes: { a: cloud, b: cloud } } } }
defaults: { cloud: one, size: plan, image: plan, timeout: 5m, ssh: { user: plan, port: 24, identity: [keys/a, ~/b] }, attributes: { a: plan, c: plan } }
levels: [{ services: { web: { size: own, ssh: { user: own, jump: "me@bastion:2200" }, attributes: { a: own }, boot: ok.sh, ready: { program: ok.sh, timeout: 10s } } } }]
`);
  const web = service(plan, "web");
  expect([web.size, web.image]).toEqual([["own"], ["cloud"]]);
  expect(web.ssh).toMatchObject({
    user: "own",
    port: 23,
    identities: [join(plan.dir, "keys/a"), join(homedir(), "b")],
    jump: { host: "bastion", user: "me", port: 2200 },
  });
  expect(Object.entries(web.attributes).map(([name, { value }]) => [name, value])).toEqual([
    ["a", ["own"]],
    ["b", ["cloud"]],
    ["c", ["plan"]],
  ]);
  expect([web.boot?.timeoutMs, web.ready?.timeoutMs]).toEqual([300_000, 10_000]);
});

test("of a list of sizes the first is wanted, and the others are tried after it; a service's list comes in the place of its defaults", async () => {
  const plan = await load(`
plan: a
variables: { other: m6i.large }
defaults: { size: [plan, other] }
levels:
  - services: { db: { attributes: { size: xl } }, one: { size: 8 }, list: { size: [m5.large] } }
  - services: { web: { size: [m5.large, "\${var.other}", "\${db.size}"] }, guest: { host: "\${db.host}" } }
`);
  const sizes = (name: string) => [service(plan, name).size, service(plan, name).fallbackSizes];
  expect(sizes("db")).toEqual([["plan"], [["other"]]]);
  expect(sizes("one")).toEqual([["8"], []]);
  expect(sizes("list")).toEqual([["m5.large"], []]);
  expect(sizes("web")).toEqual([
    ["m5.large"],
    [[{ kind: "variable", name: "other" }], [{ kind: "service", service: "db", replica: 0, attribute: "size" }]],
  ]);
  expect(sizes("guest")).toEqual([null, []]);
});

test.each([
  ["[]", /"size" of service "web" must have at least 1 item/],
  ["[m5.large, m5.large]", /"size" of service "web" contains the same item twice/],
  ["[m5.large, [m5a.large]]", /must be text or a number, not a list/],
  ["[m5.large, '\${web.host}']", /is known only after|refers to its own service/],
  ["{ first: m5.large }", /must be text, a number or a list, not a map/],
])("size: %s is a mistake", async (size, words) => {
  await expect(load(`plan: a\nlevels: [{ services: { web: { size: ${size} } } }]\n`)).rejects.toThrow(words);
});

test("the cloud is the service's, else the default, else the only one, else local", async () => {
  const clouds = (text: string) =>
    load(`plan: a\n${text}`).then((plan) =>
      plan.levels.flatMap(({ services }) => services).map(({ placement }) => placement),
    );
  const rack = "{ driver: existing, hosts: [10.0.0.4] }";
  expect(
    await clouds(
      `clouds: { a: ${rack}, b: { driver: local } }\ndefaults: { cloud: b }\nlevels: [{ services: { x: { cloud: a }, y: {} } }]`,
    ),
  ).toEqual([
    { kind: "cloud", cloud: "a" },
    { kind: "cloud", cloud: "b" },
  ]);
  expect(await clouds(`clouds: { a: ${rack} }\nlevels: [{ services: { x: {} } }]`)).toEqual([
    { kind: "cloud", cloud: "a" },
  ]);
  expect(await clouds(`clouds: { a: ${rack}, b: ${rack} }\nlevels: [{ services: { x: {} } }]`)).toEqual([
    { kind: "cloud", cloud: "local" },
  ]);
});

test("ready is tried for its own timeout, for as many tries as are given, or for 30 seconds", async () => {
  const plan = await load(
    "plan: a\nlevels: [{ services: { a: { ready: ok.sh }, b: { ready: { program: ok.sh, retries: 3 } }, c: { ready: { program: ok.sh, retries: 3, timeout: 1m } } } }]",
  );
  expect(
    ["a", "b", "c"].map((name) => [service(plan, name).ready?.retries, service(plan, name).ready?.windowMs]),
  ).toEqual([
    [null, 30_000],
    [3, Number.MAX_SAFE_INTEGER],
    [3, 60_000],
  ]);
});

test("numbers keep the text that they are written with", async () => {
  const plan = await load(
    "plan: a\nvariables: { version: 1.10 }\nlevels: [{ services: { a: { boot: { program: ok.sh, args: [0755, 1.10, TRUE, 12345678901234567890, 1e3], env: { A: .5 } } } } }]",
  );
  expect(service(plan, "a").boot?.args).toEqual([["0755"], ["1.10"], ["TRUE"], ["12345678901234567890"], ["1e3"]]);
  expect(plan.variables[0]?.default).toBe("1.10");
});

test("a level may stand in a file of its own, and paths in it are relative to it", async () => {
  const plan = await load("plan: a\nlevels: [{ file: levels/web.yaml }, { file: levels/empty.yaml }]", {
    "levels/web.yaml": "name: web\nservices: { web: { boot: run.sh } }\n",
    "levels/run.sh": "#!/bin/sh\n",
    "levels/empty.yaml": "# later\n",
  });
  expect(plan.levels.map(({ name }) => name)).toEqual(["web", "level-2"]);
  expect(service(plan, "web").boot?.run).toEqual({ kind: "file", path: join(plan.dir, "levels/run.sh") });
  expect(service(plan, "web").source).toEqual({ file: join(plan.dir, "levels/web.yaml"), line: 2, column: 13 });
});

test("levels may be empty, and a service may say nothing", async () => {
  const plan = await load("plan: a\nlevels:\n  - name: one\n  - services:\n  - services: {}\n  - services: { web: }\n");
  expect(plan.levels.map(({ services }) => services.length)).toEqual([0, 0, 0, 1]);
  expect((await load("plan: a\nlevels: []")).levels).toEqual([]);
});

test("folders and archives are programs", async () => {
  const plan = await load(
    "plan: a\nlevels: [{ services: { a: { boot: prog/, ready: prog.tar.gz, terminate: prog.tgz } } }]",
    { "prog/run.sh": "#!/bin/sh\n", "prog.tar.gz": "", "prog.tgz": "" },
  );
  expect(
    [service(plan, "a").boot, service(plan, "a").ready, service(plan, "a").terminate].map(
      (program) => program?.run.kind,
    ),
  ).toEqual(["folder", "archive", "archive"]);
});

test("names such as constructor, toString and __proto__ are ordinary names", async () => {
  const plan = await load(`
plan: constructor
variables: { toString: v, valueOf: w }
clouds: { constructor: { driver: local }, hasOwnProperty: { driver: local } }
levels:
  - services: { constructor: { cloud: constructor, attributes: { toString: x, valueOf: y }, outputs: [hasOwnProperty], boot: ok.sh } }
  - services: { toString: { cloud: hasOwnProperty, boot: { program: ok.sh, args: ["\${constructor.valueOf} \${constructor.hasOwnProperty} \${var.toString}"], env: { __proto__: x, constructor: y } } } }
`);
  expect(Object.keys(plan.clouds)).toEqual(["constructor", "hasOwnProperty"]);
  expect(Object.keys(service(plan, "constructor").attributes)).toEqual(["toString", "valueOf"]);
  expect(
    await mistakesOf(
      'plan: a\nlevels: [{ services: { a: {} } }, { services: { b: { boot: { program: ok.sh, args: ["${constructor.x} ${a.toString} ${var.valueOf}"] } } } }]',
    ),
  ).toHaveLength(3);
  expect(await mistakesOf("plan: a\n__proto__: 1\nlevels: []")).toEqual([
    expect.stringContaining('unknown key "__proto__" in the plan'),
  ]);
  expect(await mistakesOf("plan: a\nlevels: [{ services: { a: { cloud: constructor } } }]")).toEqual([
    expect.stringContaining('unknown cloud "constructor"'),
  ]);
});

test("spaces and letters of all languages may stand in paths and values", async () => {
  const folder = planFolder(
    {
      "launch.yaml":
        'plan: a\nlevels: [{ services: { a: { boot: { program: "schön & gut/数据 1.sh", args: ["naïve 🚀 ${self.host}"] } } } }]',
      "schön & gut/数据 1.sh": "#!/bin/sh\n",
    },
    "Mein Ordner – été",
  );
  const plan = await loadPlan(folder);
  expect(service(plan, "a").boot).toMatchObject({
    run: { path: join(folder, "schön & gut/数据 1.sh") },
    args: [["naïve 🚀 ", { kind: "self", attribute: "host" }]],
  });
});

test("anchors, aliases and merges work, more than a hundred of them too", async () => {
  const services = Array.from({ length: 300 }, (_, index) => `      s${index}: { <<: *base, size: "${index}" }`).join(
    "\n",
  );
  const plan = await load(
    `plan: a\nclouds: { c: { driver: ec2, region: eu-west-1 } }\ndefaults: { cloud: c }\nx-base: &base { image: debian, size: none, boot: &boot { program: ok.sh } }\nlevels:\n  - services:\n${services}\n      last: { boot: *boot }\n`,
  );
  expect(service(plan, "s299")).toMatchObject({ image: ["debian"], size: ["299"] });
  expect(service(plan, "last").boot?.run.kind).toBe("file");
});

test("a name with a number is a service if there is one, and a replica otherwise", async () => {
  const plan = await load(
    'plan: a\nlevels: [{ services: { web: { replicas: 3 }, db-1: {} } }, { services: { x: { launch: { list: ["${web-2.host}", "${db-1.host}", "$${x}"] }, boot: { program: ok.sh, args: ["${web-2.host}${db-1.host}${web.*.host}"] } } } }]',
  );
  expect(service(plan, "x").boot?.args).toEqual([
    [
      { kind: "service", service: "web", replica: 2, attribute: "host" },
      { kind: "service", service: "db-1", replica: 0, attribute: "host" },
      { kind: "service", service: "web", replica: "all", attribute: "host" },
    ],
  ]);
  expect(service(plan, "x").launch).toEqual({ list: ["${web.2.host}", "${db-1.host}", "$${x}"] });
});

test("what is made from a secret is secret, over levels", async () => {
  const plan = await load(
    'plan: a\nvariables: { p: { secret: true } }\nlevels: [{ services: { a: { attributes: { x: "${var.p}", y: z } } } }, { services: { b: { attributes: { q: "u:${a.x}" } } } }]',
  );
  expect(service(plan, "a").attributes).toMatchObject({ x: { secret: true }, y: { secret: false } });
  expect(service(plan, "b").attributes).toMatchObject({ q: { secret: true } });
});

test("ten thousand replicas and a thousand services load, in a time that grows no faster than they do", async () => {
  const loaded = (count: number) => {
    const services = Array.from(
      { length: count },
      (_, index) =>
        `      s${index}: { boot: { program: ok.sh, args: ["\${big-${index + 1}.host}"] }, attributes: { n: ${index} } }`,
    ).join("\n");
    return load(`plan: a\nlevels:\n  - services: { big: { replicas: ${count * 10} } }\n  - services:\n${services}\n`);
  };
  expect(service(await loaded(1_000), "big").replicas).toBe(10_000);
  expect(await growth(loaded, 100)).toBeLessThan(4);
});

test("a folder with a launch.yaml is a plan; a folder without one, a missing file and a huge one are explained", async () => {
  const folder = planFolder({
    "launch.yaml": "plan: a\nlevels: []",
    "other/x": "",
    "big.yaml": "#".repeat(10 * 1024 * 1024 + 1),
  });
  expect((await loadPlan(folder)).file).toBe(join(folder, "launch.yaml"));
  expect((await planError(loadPlan(join(folder, "other")))).message).toMatch(
    /other: this is a folder without a launch.yaml/,
  );
  expect((await planError(loadPlan(join(folder, "nope.yaml")))).message).toMatch(/nope.yaml: no such file/);
  expect((await planError(loadPlan(join(folder, "big.yaml")))).message).toMatch(/larger than 10 MB/);
  expect((await planError(loadPlan("/dev/null"))).message).toMatch(/not a regular file/);
});

test("a byte order mark and Windows line ends are accepted", async () => {
  const plan = await load("\ufeffplan: a\r\nlevels:\r\n  - services:\r\n      a: { boot: ok.sh }\r\n");
  expect(service(plan, "a").source).toMatchObject({ line: 4, column: 7 });
});

test("a mistake is reported once, and does not make others of what refers to it", async () => {
  expect(
    await mistakesOf(
      'plan: a\nlevels:\n  - services:\n      db: { replicas: x, atributes: { port: 1 } }\n      1bad: {}\n  - services: { web: { boot: { program: ok.sh, args: ["${db-2.port}"] } } }\n',
    ),
  ).toEqual([
    expect.stringContaining("whole number"),
    expect.stringContaining('unknown key "atributes"'),
    expect.stringContaining('invalid service name "1bad"'),
  ]);
});

test("schema mistakes hide no others in the healthy rest", async () => {
  expect(
    await mistakesOf(
      'plan: a\nconcurrency: x\nlevels:\n  - services: { a: { replicas: x, boot: nope.sh } }\n  - services: { b: { sizes: 1, boot: { program: ok.sh, args: ["${c.x}"] } } }\n',
    ),
  ).toHaveLength(5);
});

test("a NUL byte is refused wherever it stands", async () => {
  expect(
    await mistakesOf('plan: a\nlevels: [{ services: { a: { boot: { program: ok.sh, args: ["\\0"] } } } }]'),
  ).toEqual([expect.stringContaining("NUL byte")]);
});

test("values nested thousands deep are a mistake and no crash", async () => {
  expect(await mistakesOf(`plan: a\nx-deep: ${"[".repeat(200)}${"]".repeat(200)}\nlevels: []`)).toEqual([
    expect.stringContaining("nested deeper than 100 levels"),
  ]);
  expect((await mistakesOf(`plan: a\nx-deep: ${"[".repeat(100_000)}\nlevels: []`)).length).toBeGreaterThan(0);
});

test("what defaults say wrong is said once, however many services take it in", async () => {
  const services = Array.from({ length: 20 }, (_, index) => `s${index}: {}`).join(", ");
  expect(
    await mistakesOf(
      `plan: a\ndefaults: { boot: { program: ok.sh, args: ["\${self.prot}"] }, ready: nope.sh }\nlevels: [{ services: { ${services} } }]`,
    ),
  ).toHaveLength(2);
});

test("services that would run on each other's machines are a mistake and no endless loop", async () => {
  expect(
    await mistakesOf(
      'plan: a\nlevels: [{ services: { a: { host: "${a.host}" }, b: { host: "${c.host}" }, c: { host: "${b.host}" } } }]',
    ),
  ).toHaveLength(3);
});

test("a secret's default is never printed, not even beside a syntax error", async () => {
  for (const line of [
    "s: { secret: true, default: hunter2, oops: 1 }",
    "s: { secret: true, default: hunter2 } }",
    "s: { secret: true, default: &a hunter2, env: @ }",
  ]) {
    const { message } = await planError(load(`plan: a\nvariables:\n  ${line}\nlevels: []\n`));
    expect(message).not.toContain("hunter2");
    expect(message).toContain("*******");
  }
});

test("a byte order mark at the head of a plan, of a level's file, and CR LF line ends mean nothing", async () => {
  const mark = "\ufeff";
  const folder = planFolder({
    "plan.yaml": `${mark}plan: marked\r\nlevels:\r\n  - file: level.yaml\r\n`,
    "level.yaml": `${mark}name: one\r\nservices:\r\n  web: { boot: ok.sh }\r\n`,
  });
  const plan = await loadPlan(join(folder, "plan.yaml"));
  expect([plan.name, plan.levels.map(({ name, services }) => [name, services.map((one) => one.name)])]).toEqual([
    "marked",
    [["one", ["web"]]],
  ]);
});
