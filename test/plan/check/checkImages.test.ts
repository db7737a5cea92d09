/** What services take from the plan's images. */
import { expect, test } from "@jest/globals";

import ec2 from "../../../src/drivers/ec2/ec2Driver.js";
import { loadDriver } from "../../../src/drivers/registry.js";
import { describePlan } from "../../../src/plan/describe.js";
import { loadImagePlan } from "../../../src/plan/imagePlan.js";
import type { LaunchPlan, ServiceSpec } from "../../../src/plan/launchPlan/launchPlan.js";
import { packagesOf } from "../../../src/plan/compile/packages.js";
import { templateText } from "../../../src/plan/references/references.js";
import { load, mistakesOf, planFolder, sentences } from "../planFolder.js";

const CLOUDS = "clouds: { lab: { driver: ec2, region: eu-central-1 }, here: { driver: local } }";

function serviceOf(plan: LaunchPlan, name: string): ServiceSpec {
  const found = plan.levels.flatMap(({ services }) => services).find((service) => service.name === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

const setupOf = (service: ServiceSpec) =>
  (service.setup ?? []).map(
    (setup) =>
      `${setup.image} ${setup.kind} ${setup.kind === "packages" ? packagesOf(setup).join("+") : setup.program.run.kind === "command" ? templateText(setup.program.run.line) : "file"}`,
  );

test("a service's own keys come first, then its image's, then those of the image's parents, its cloud's defaults, the plan's", async () => {
  const plan = await load(`plan: order
clouds: { here: { driver: local, defaults: { timeout: 4m, attributes: { e: cloud, d: cloud }, ssh: { port: 4 } } } }
defaults: { boot: { command: plan }, terminate: { command: plan }, attributes: { e: plan, f: plan } }
images:
  base: { timeout: 3m, boot: { command: base }, ready: { command: base }, attributes: { c: base, d: base }, ssh: { port: 3, user: base }, launch: {} }
  apache: { from: base, timeout: 2m, boot: { command: apache }, attributes: { b: apache, c: apache } }
levels:
  - services:
      own: { image: apache, timeout: 1m, boot: { command: own }, attributes: { a: own, b: own } }
      web: { image: apache }
      bare: {}
`);
  const [own, web, bare] = ["own", "web", "bare"].map((name) => serviceOf(plan, name)) as [
    ServiceSpec,
    ServiceSpec,
    ServiceSpec,
  ];
  const lines = (service: ServiceSpec) =>
    [service.boot, service.ready, service.terminate].map((program) =>
      program?.run.kind === "command" ? templateText(program.run.line) : null,
    );
  const attributes = (service: ServiceSpec) =>
    Object.fromEntries(Object.entries(service.attributes).map(([name, { value }]) => [name, templateText(value)]));
  expect([own, web, bare].map(lines)).toEqual([
    ["own", "base", "plan"],
    ["apache", "base", "plan"],
    ["plan", null, "plan"],
  ]);
  expect([own, web, bare].map((service) => service.boot?.timeoutMs)).toEqual([60_000, 120_000, 240_000]);
  expect(attributes(own)).toEqual({ a: "own", b: "own", c: "apache", d: "base", e: "cloud", f: "plan" });
  expect(attributes(web)).toEqual({ b: "apache", c: "apache", d: "base", e: "cloud", f: "plan" });
  expect(own.ssh).toMatchObject({ port: 3, user: "base" });
  expect(bare.ssh.port).toBe(4);
  expect([own.imageName, web.imageName, bare.imageName]).toEqual(["apache", "apache", null]);
});

test("outputs of the service and of its images are promised together; a name may stand twice, but not in one list", async () => {
  const text = (own: string) => `plan: outputs
images:
  base: { outputs: [port, { name: token, secret: true }] }
  apache: { from: base, outputs: [port, url], boot: ok.sh }
levels: [ { services: { web: { image: apache, outputs: ${own} } } } ]
`;
  expect(serviceOf(await load(text("[id]")), "web").outputs).toEqual([
    { name: "id", secret: false },
    { name: "port", secret: false },
    { name: "url", secret: false },
    { name: "token", secret: true },
  ]);
  expect(await mistakesOf(text("[id, port, id]"))).toEqual(['5: duplicate output "id": remove one']);
});

test("what makes an image runs parent first, packages before the recipe, and an image without any of it adds nothing", async () => {
  const plan = await load(`plan: setup
images:
  base: { packages: [curl, ca-certificates], recipe: { command: base } }
  middle: { from: base }
  apache: { from: middle, packages: [apache2], recipe: ok.sh }
clouds: { here: { driver: local }, sky: { driver: sim } }
levels: [ { services: { web: { cloud: here, image: apache }, old: { cloud: sky, image: debian-12 } } } ]
`);
  expect(setupOf(serviceOf(plan, "web"))).toEqual([
    "base packages curl+ca-certificates",
    "base recipe base",
    "apache packages apache2",
    "apache recipe file",
  ]);
  expect(serviceOf(plan, "old")).toMatchObject({ image: ["debian-12"] });
  expect(serviceOf(plan, "old").setup).toEqual([]);
  const [described] = describePlan(plan).levels[0]?.services ?? [];
  expect(described).toMatchObject({
    image: "apache",
    programs: [
      { step: "setup", run: "packages curl ca-certificates" },
      { step: "setup", run: "base" },
      { step: "setup", run: "packages apache2" },
      { step: "setup", run: expect.stringMatching(/\/ok\.sh$/) },
    ],
  });
});

test("the nearest id of the service's cloud is what its machine is made from", async () => {
  const plan = await load(
    `plan: ids
${CLOUDS}
variables: { ami: ami-0123 }
images:
  base: { lab: ami-0base, here: "local-image:x" }
  apache: { from: base, lab: "\${var.ami}" }
  other: { from: base }
levels: [ { services: { one: { cloud: lab, image: apache, size: m5.large }, two: { cloud: lab, image: other, size: m5.large }, three: { cloud: here, image: apache } } } ]
`,
    {},
    { driverDefinition: loadDriver },
  );
  expect(["one", "two", "three"].map((name) => serviceOf(plan, name).image)).toEqual([
    [{ kind: "variable", name: "ami" }],
    ["ami-0base"],
    ["local-image:x"],
  ]);
});

test("a cloud that needs an image's id and finds none in the whole chain is told, and one that needs none is not", async () => {
  const text = `plan: ids
${CLOUDS}
images: { base: { packages: [curl] }, apache: { from: base } }
levels:
  - services:
      web: { cloud: lab, image: apache, size: m5.large }
      mine: { cloud: here, image: apache }
`;
  expect(ec2.needsImage).toBe(true);
  expect(await mistakesOf(text, {}, { driverDefinition: loadDriver })).toEqual([
    '6: image "apache" has no id for cloud "lab": add one to it or "base", such as lab: ami-0a1b2c3d',
  ]);
});

test("packages are installed as root, but on this computer they are only looked for, also by a guest of a machine there", async () => {
  const plan = await load(`plan: hosts
clouds: { here: { driver: local }, rack: { driver: existing, hosts: [10.0.0.4] } }
images: { tools: { packages: [curl] } }
levels:
  - services: { db: { cloud: here, image: tools }, far: { cloud: rack, image: tools } }
  - services: { guest: { host: "\${db.host}", image: tools }, stranger: { host: "\${far.host}", image: tools }, address: { host: 10.0.0.5, image: tools } }
`);
  const modes = Object.fromEntries(
    ["db", "far", "guest", "stranger", "address"].map((name) => {
      const [setup] = serviceOf(plan, name).setup ?? [];
      return [name, [templateText(setup?.program.args[0] ?? []), setup?.program.sudo]];
    }),
  );
  expect(modes).toEqual({
    db: ["check", false],
    far: ["install", "itself"],
    guest: ["check", false],
    stranger: ["install", "itself"],
    address: ["install", "itself"],
  });
});

test("names that could be a driver's own words are left alone", async () => {
  const text = (driver: string, image: string) => `plan: raw
clouds: { c: { driver: ${driver} } }
images: { debian-13: {}, ami-base: {} }
levels: [ { services: { web: { cloud: c, image: "${image}" } } } ]
`;
  for (const [driver, image] of [
    ["sim", "debian-12"],
    ["ec2", "ami-bas3"],
  ] as const)
    expect(serviceOf(await load(text(driver, image)), "web").image).toEqual([image]);
  expect(await mistakesOf(text("local", "debian-12"))).toEqual([
    '4: "debian-12" is neither an image of the plan nor an image of driver "local" -> debian-13',
  ]);
});

test("an image that its driver would ignore is a mistake of the service, but not of the defaults of many clouds", async () => {
  const text = (defaults: string, own: string) => `plan: ignored
clouds: { here: { driver: local } }
defaults: { cloud: here${defaults} }
levels: [ { services: { web: { ${own} boot: ok.sh } } } ]
`;
  expect(await mistakesOf(text("", "image: trixie,"))).toEqual([
    '4: "trixie" is no image of the plan, and driver "local" has no images of its own, so it would be ignored: ' +
      "remove it, or describe the image under images:",
  ]);
  expect(serviceOf(await load(text(", image: trixie", "")), "web").image).toEqual(["trixie"]);
});

test("what is wrong in an image makes no mistakes of the services that are made from it", async () => {
  expect(
    await mistakesOf(`plan: cut
images: { apache: { boot: { command: x, comand: y }, outputs: [port], retries: 3 } }
levels:
  - services: { web: { image: apache } }
  - services: { check: { boot: { command: "echo \${web.port} \${web.nothing}" } } }
`),
  ).toEqual([
    expect.stringContaining('unknown key "comand"'),
    expect.stringContaining('unknown key "retries" in image "apache"'),
  ]);
});

test("the plan that builds an image has one machine of the cloud, what makes the image, and nothing that a service does", async () => {
  const folder = planFolder({
    "launch.yaml": `plan: shop
clouds: { here: { driver: local, defaults: { timeout: 7m, terminate: { command: x } } } }
variables: { needed: {}, other: {} }
defaults: { boot: { command: default } }
images:
  base: { packages: [bash], ready: { command: x }, outputs: [port], attributes: { a: 1 } }
  apache: { from: base, recipe: { command: "echo \${var.needed}" } }
levels: []
`,
  });
  const plan = await loadImagePlan(folder, { image: "apache", cloud: "here" }, loadDriver);
  expect(plan).toMatchObject({
    name: "image-apache",
    variables: [
      { name: "needed", default: null },
      { name: "other", default: "" },
    ],
  });
  const service = serviceOf(plan, "apache");
  expect(service).toMatchObject({
    placement: { kind: "cloud", cloud: "here" },
    boot: null,
    ready: null,
    terminate: null,
    outputs: [],
    attributes: {},
  });
  expect(setupOf(service)).toHaveLength(2);
  expect(service.setup?.[0]?.program.timeoutMs).toBe(7 * 60_000);
  expect(await sentences(loadImagePlan(folder, { image: "apach", cloud: "her" }, loadDriver))).toEqual([
    '0: unknown image "apach" -> apache',
    '0: unknown cloud "her" -> here',
  ]);
});
