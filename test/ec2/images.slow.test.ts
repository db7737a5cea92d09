/**
 * An image of the plan, built in a cloud that speaks EC2's API: by the real command, on a machine that is reached over
 * SSH.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { IMAGE, openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";
import { imagesLayer, ownImages, slowImages } from "../support/ec2Images.js";
import { cut, type Layer } from "../support/moto.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
  lab.cloud.layers = [...lab.cloud.layers, imagesLayer(lab.cloud.direct)];
}, 90_000);
afterAll(async () => lab.close());

const words = (folder: string) => ["image", "build", "apache", "--cloud", "aws", "--plan", folder];

async function plan(recipe = "recipe"): Promise<string> {
  const { identity } = await lab.key();
  return lab.plan(`plan: shop
clouds: { aws: { driver: ec2, region: eu-central-1, endpoint: "${lab.endpoint}", defaults: { size: m5.large, ssh: { identity: "${identity}", agent: false, user: admin } } } }
images:
  base: { aws: ${IMAGE}, packages: [bash] }
  apache: { from: base, recipe: { command: "echo ${recipe} >> /mnt/${recipe}", sudo: true } }
levels: [ { name: web, services: { web: { cloud: aws, image: apache, replicas: 2, boot: { command: "echo \${self.replica} >> /mnt/booted" } } } } ]
`);
}

test("without a built image, packages are looked for and the recipe runs on each machine; with one, machines start from it and only boot", async () => {
  const folder = await plan();
  expect(await lab.json(["boot", folder, "--name", "before"])).toMatchObject({ code: 0 });
  expect(lab.fact("recipe")).toBe("recipe\nrecipe\n");
  const built = await lab.json(words(folder));
  expect(built).toMatchObject({
    code: 0,
    document: { image: { version: 1, state: "available", runState: "terminated" } },
  });
  const { id } = built.document.image;
  expect((await ownImages(lab.cloud.direct)).map(({ ImageId, Name }) => [ImageId, Name])).toEqual([
    [id, expect.stringMatching(/^bootlevel-[0-9a-f]{8}-apache-[0-9a-f]{12}-1$/)],
  ]);
  expect((await lab.live()).map(({ tags }) => tags["bootlevel:run-name"])).toEqual(["before", "before"]);
  expect(await lab.json(["boot", folder, "--name", "after"])).toMatchObject({ code: 0 });
  expect(lab.fact("recipe")).toBe("recipe\nrecipe\nrecipe\n");
  const images = (await lab.live()).map(({ tags, raw }) => [tags["bootlevel:run-name"], raw.ImageId]);
  expect(images.sort()).toEqual([
    ["after", id],
    ["after", id],
    ["before", IMAGE],
    ["before", IMAGE],
  ]);
  expect(await lab.json(["image", "remove", "apache", "--cloud", "aws", "--yes"])).toMatchObject({ code: 2 });
  expect(await lab.json(["terminate", "before", "after"])).toMatchObject({ code: 0 });
  expect(await lab.json(["image", "remove", "apache", "--cloud", "aws", "--yes"])).toMatchObject({ code: 0 });
  expect(await ownImages(lab.cloud.direct)).toEqual([]);
}, 120_000);

test("a lost answer makes no second image; one that fails is told, its machine is ended, and the next build is another version", async () => {
  const folder = await plan("other");
  const layers = lab.cloud.layers;
  lab.faults.set({ rule: cut("CreateImage", "cut-after", (nth) => nth === 1) });
  expect(await lab.json(words(folder))).toMatchObject({ code: 0, document: { image: { state: "available" } } });
  expect(await ownImages(lab.cloud.direct)).toHaveLength(1);
  lab.faults.set({ rule: null });
  const [record, ...rest] = layers as [Layer, ...Layer[]];
  lab.cloud.layers = [record, slowImages(0, "failed"), ...rest];
  expect(await lab.json(words(folder))).toMatchObject({
    code: 1,
    document: {
      image: {
        state: "failed",
        runState: "terminated",
        reason: expect.stringMatching(/could not create image ami-\w+: Client error on volume vol-1/),
      },
    },
  });
  lab.cloud.layers = layers;
  expect([await lab.live(), (await ownImages(lab.cloud.direct)).length]).toEqual([[], 1]);
  const { document } = await lab.json(["image", "list"]);
  expect(
    document.images.map(({ version, state }: { version: number; state: string }) => [version, state]).slice(-2),
  ).toEqual([
    [2, "available"],
    [3, "failed"],
  ]);
}, 120_000);
