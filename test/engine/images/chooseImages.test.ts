/** Which built images are the ones that a plan means. */
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { chooseImages } from "../../../src/engine/images/chooseImages.js";
import { packBundles } from "../../../src/engine/programs/bundles.js";
import { loadDriver } from "../../../src/drivers/registry.js";
import { loadPlan } from "../../../src/plan/load.js";
import type { LaunchPlan, ServiceSpec } from "../../../src/plan/launchPlan/launchPlan.js";
import { templateText } from "../../../src/plan/references/references.js";
import type { BuiltImage } from "../../../src/state/contract/images.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import type { VariableRecord } from "../../../src/state/contract/records.js";
import { definitionOf, imageValues, placeOf, withContents } from "../../../src/engine/images/definition.js";
import { planFolder } from "../../plan/planFolder.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

interface Case {
  readonly plan: LaunchPlan;
  readonly bundles: Awaited<ReturnType<typeof packBundles>>;
  readonly variables: readonly VariableRecord[];
}

interface Text {
  readonly region?: string;
  readonly ami?: string;
  readonly recipe?: string;
  readonly service?: string;
  readonly version?: string;
  readonly secret?: string;
  readonly packages?: string;
}

async function read({
  region = "eu-central-1",
  ami = "ami-1",
  recipe = "first",
  service = "web",
  version = "1.0",
  secret = "s-1",
  packages = "apache2",
}: Text = {}): Promise<Case> {
  const folder = planFolder({
    "recipe.sh": `#!/bin/sh\n${recipe}\n`,
    "launch.yaml": `plan: shop
clouds: { lab: { driver: ec2, region: ${region} } }
variables: { version: {}, pass: { secret: true } }
images:
  base: { lab: ${ami}, packages: [curl] }
  apache: { from: base, packages: [${packages}], recipe: { program: recipe.sh, args: ["\${var.version}"], env: { PASS: "\${var.pass}" } } }
levels: [ { services: { ${service}: { image: apache, size: m5.large } } } ]
`,
  });
  const plan = await loadPlan(folder, { driverDefinition: loadDriver });
  const bundles = await packBundles(plan, localFiles(locateHome(join(temporaryDirectory(), "home"), {})).bundles);
  const variables = [
    { kind: "variable" as const, name: "version", secret: false, value: version },
    { kind: "variable" as const, name: "pass", secret: true, value: secret },
  ];
  return { plan, bundles, variables };
}

const serviceOf = (plan: LaunchPlan): ServiceSpec => plan.levels[0]?.services[0] as ServiceSpec;

/** The record of an image that was built of a plan: of its first `steps` steps. */
function built({ plan, bundles, variables }: Case, steps: number, version: number, image = "apache"): BuiltImage {
  const lookup = imageValues(variables);
  const cloud = plan.clouds["lab"];
  if (cloud === undefined) throw new Error("no cloud");
  const setup = withContents(serviceOf(plan), bundles, lookup)[steps - 1];
  return {
    id: version,
    image,
    cloud: "lab",
    driver: "ec2",
    place: placeOf(cloud, lookup),
    definition: definitionOf(cloud, templateText(serviceOf(plan).image ?? []), setup, lookup),
    version,
    name: `n-${version}`,
    planFile: plan.file,
    run: "r",
    driverId: `ami-built-${version}`,
    state: "available",
    reason: null,
    requestedAt: 1,
    availableAt: 2,
    deletedAt: null,
  };
}

function chosen(
  one: Case,
  images: readonly BuiltImage[],
  before: LaunchPlan | null = null,
): { image: unknown; steps: number; warnings: readonly string[]; plan: LaunchPlan } {
  const { plan, warnings } = chooseImages({ ...one, built: images, before, whole: true });
  const { image, setup = [] } = serviceOf(plan);
  return { image: image?.[0], steps: setup.length, warnings, plan };
}

test("the same image is one of the same steps from the same id in the same place, whatever the service, the plan's folder and a secret's value are", async () => {
  const image = built(await read(), 3, 1);
  for (const same of [{}, { service: "other" }, { secret: "s-2" }])
    expect(chosen(await read(same), [image])).toMatchObject({ image: "ami-built-1", steps: 0, warnings: [] });
  for (const other of [{ recipe: "second" }, { version: "2.0" }, { ami: "ami-2" }, { packages: "nginx" }])
    expect(chosen(await read(other), [image])).toMatchObject({ image: expect.stringMatching(/^ami-[12]$/), steps: 3 });
  expect(chosen(await read({ region: "us-east-1" }), [image])).toMatchObject({
    image: "ami-1",
    steps: 3,
    warnings: [],
  });
});

test("the newest available version is taken, of what the image is made from if there is none of itself, and never a part of an image", async () => {
  const one = await read();
  expect(chosen(one, [built(one, 3, 1), built(one, 3, 2), { ...built(one, 3, 3), state: "failed" }])).toMatchObject({
    image: "ami-built-2",
  });
  expect(chosen(one, [built(one, 1, 1, "base")])).toMatchObject({ image: "ami-built-1", steps: 2 });
  expect(chosen(one, [built(one, 2, 1)])).toMatchObject({ image: "ami-1", steps: 3 });
});

test("a run keeps what it has, a built image or none, until the image itself changes", async () => {
  const one = await read();
  const first = chosen(one, [built(one, 3, 1)]);
  const none = chosen(one, []);
  const images = [built(one, 3, 1), built(one, 3, 2)];
  expect(chosen(one, images, first.plan)).toMatchObject({ image: "ami-built-1", steps: 0 });
  expect(chosen(one, images, none.plan)).toMatchObject({ image: "ami-1", steps: 3 });
  const changed = await read({ recipe: "second" });
  expect(chosen(changed, [...images, built(changed, 3, 3)], first.plan)).toMatchObject({
    image: "ami-built-3",
    steps: 0,
  });
});

test("the warning about a changed image is for its own plan only", async () => {
  const one = await read();
  const old = { ...built(one, 3, 4), definition: "of before" };
  expect(chosen(one, [old]).warnings).toEqual([
    expect.stringContaining('image "apache" has changed since version 4 was built in cloud "lab"'),
  ]);
  expect(chosen(one, [{ ...old, planFile: "/another/launch.yaml" }]).warnings).toEqual([]);
});

test("the warning is about what an image is made from, if only that was built and has changed; of both, about the image itself", async () => {
  const one = await read();
  const base = { ...built(one, 1, 2, "base"), definition: "of before" };
  expect(chosen(one, [base]).warnings).toEqual([
    expect.stringContaining('image "base" has changed since version 2 was built in cloud "lab"'),
  ]);
  expect(chosen(one, [base, { ...built(one, 3, 4), definition: "of before" }]).warnings).toEqual([
    expect.stringContaining('image "apache" has changed since version 4 was built in cloud "lab"'),
  ]);
  expect(chosen(one, [base, built(one, 3, 4)]).warnings).toEqual([]);
});
