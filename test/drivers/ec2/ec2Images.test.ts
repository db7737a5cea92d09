/** Images of EC2's machines: one for each name, whatever becomes of calls, and nothing left of one that is removed. */
import { CreateImageCommand, DeregisterImageCommand, DescribeSnapshotsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { ImageFailedError, LostReplyError, type ImageRequest } from "../../../src/drivers/contract/driver.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { imagesLayer, ownImages, slowImages } from "../../support/ec2Images.js";
import { callsOf, cut, hastyClock, refuse } from "../../support/moto.js";

const { cloud, driver } = useCloud();
beforeEach(() => {
  cloud().layers = [imagesLayer(cloud().direct)];
});
afterEach(() => {
  cloud().layers = [];
});

let count = 0;

/** A machine of a new run, and the wish for an image of it. */
async function wanted(): Promise<ImageRequest> {
  const run = newRun();
  const [machine] = machinesOf(await driver().launch([wish(run, "apache")], never));
  count += 1;
  return {
    machine: machine?.id ?? "",
    name: `bootlevel-here-apache-${count}`,
    description: "apache, version 1",
    mark: { installation: "here", run, runName: `${run}-name`, service: "apache" },
  };
}

const named = async (name: string) => (await ownImages(cloud().direct)).filter((image) => image.Name === name);

async function snapshots(image: string): Promise<{ id: string; tags: Record<string, string> }[]> {
  const client = new EC2Client({ endpoint: cloud().direct, region: "eu-central-1" });
  const { Snapshots = [] } = await client.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }));
  client.destroy();
  return Snapshots.filter(({ Description }) => Description?.includes(image)).map(({ SnapshotId = "", Tags = [] }) => ({
    id: SnapshotId,
    tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])) as Record<string, string>,
  }));
}

test("an image is made of a machine that may be restarted for it, marked with all that it is made of, and machines start from it", async () => {
  const request = await wanted();
  cloud().setRule(null);
  const { id } = (await driver().createImage?.(request, never)) ?? { id: "" };
  const [call] = callsOf(cloud(), "CreateImage");
  expect([call?.get("InstanceId"), call?.get("Name"), call?.get("NoReboot")]).toEqual([
    request.machine,
    request.name,
    "false",
  ]);
  const tags = { "bootlevel:installation": "here", "bootlevel:run": request.mark.run, "bootlevel:image": "apache" };
  expect(
    (await named(request.name)).map(({ ImageId, Tags = [] }) => [
      ImageId,
      Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])),
    ]),
  ).toEqual([[id, expect.objectContaining(tags)]]);
  expect(await snapshots(id)).toEqual([{ id: expect.stringMatching(/^snap-/), tags: expect.objectContaining(tags) }]);
  const [machine] = machinesOf(await driver().launch([wish(newRun(), "web", { image: id })], never));
  expect(machine?.id).toMatch(/^i-/);
});

test("a name gives one image, whoever asks again, and however the first answer was lost", async () => {
  const request = await wanted();
  cloud().setRule(cut("CreateImage", "cut-after", (nth) => nth === 1));
  await expect(driver().createImage?.(request, never)).rejects.toThrow(LostReplyError);
  const again = await driver().createImage?.(request, never);
  expect((await named(request.name)).map(({ ImageId }) => ImageId)).toEqual([again?.id]);
  expect(await driver().createImage?.(request, never)).toEqual(again);
  expect(callsOf(cloud(), "CreateImage")).toHaveLength(1);
});

test("where the cloud does not show an image yet that has the name, its refusal tells of it, and it is waited for", async () => {
  const request = await wanted();
  const first = await driver().createImage?.(request, never);
  let hidden = 3;
  cloud().layers = [
    async (call, next) => {
      const reply = await next(call);
      if (call.action !== "DescribeImages" || reply === "cut" || call.parameters.has("ImageId.1") || hidden <= 0)
        return reply;
      hidden -= 1;
      return { ...reply, text: reply.text.replace(/<imagesSet>[\s\S]*<\/imagesSet>/, "<imagesSet/>") };
    },
    ...cloud().layers,
  ];
  cloud().setRule(null);
  expect(await driver().createImage?.(request, never)).toEqual(first);
  expect({ hidden, refused: callsOf(cloud(), "CreateImage").length }).toEqual({ hidden: 0, refused: 1 });
});

test("an image that takes its time is asked for with growing pauses until it is available", async () => {
  const request = await wanted();
  cloud().layers = [slowImages(12), ...cloud().layers];
  const clock = hastyClock();
  const before = clock.slept;
  await driver({}, { clock }).createImage?.(request, never);
  // 5 s, then a third longer each time, 30 s at most: twelve pauses are 231 s.
  expect(clock.slept - before).toBeGreaterThan(200_000);
  expect(clock.slept - before).toBeLessThan(300_000);
});

test("an image that fails is told with the cloud's reason, and nothing of it is left, so that its name is free", async () => {
  const request = await wanted();
  cloud().layers = [slowImages(2, "failed"), ...cloud().layers];
  const error: unknown = await driver()
    .createImage?.(request, never)
    .then(
      () => null,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(ImageFailedError);
  expect((error as Error).message).toMatch(/could not create image ami-\w+: Client error on volume vol-1$/);
  expect(await named(request.name)).toEqual([]);
});

test("what the cloud refuses is told in its words, and an operator who stops leaves the image to the cloud", async () => {
  const request = await wanted();
  cloud().setRule(refuse("CreateImage", "UnauthorizedOperation", "You are not authorized"));
  await expect(driver().createImage?.(request, never)).rejects.toThrow(
    /CreateImage: UnauthorizedOperation: You are not authorized/,
  );
  cloud().setRule(null);
  cloud().layers = [slowImages(1000), ...cloud().layers];
  const stop = new AbortController();
  const clock = {
    ...hastyClock(),
    sleep: async (_ms: number, signal?: AbortSignal) => {
      stop.abort();
      signal?.throwIfAborted();
    },
  };
  await expect(driver({}, { clock }).createImage?.(request, stop.signal)).rejects.toMatchObject({ name: "AbortError" });
  expect(await named(request.name)).toHaveLength(1);
});

test("an image of that name that somebody else has made is not taken for one's own", async () => {
  const request = await wanted();
  const client = new EC2Client({ endpoint: cloud().direct, region: "eu-central-1" });
  await client.send(new CreateImageCommand({ InstanceId: request.machine, Name: request.name }));
  client.destroy();
  await expect(driver().createImage?.(request, never)).rejects.toThrow(
    /exists, but this installation has not made it: remove or rename it/,
  );
});

test("a removed image takes its snapshots with it, also when an earlier removal ended half-way, and may be removed again", async () => {
  const [first, second] = [await wanted(), await wanted()];
  const one = (await driver().createImage?.(first, never)) ?? { id: "" };
  await driver().deleteImage?.(one.id, never);
  expect([await named(first.name), await snapshots(one.id)]).toEqual([[], []]);
  await driver().deleteImage?.(one.id, never);
  const two = (await driver().createImage?.(second, never)) ?? { id: "" };
  const client = new EC2Client({ endpoint: cloud().direct, region: "eu-central-1" });
  await client.send(new DeregisterImageCommand({ ImageId: two.id }));
  client.destroy();
  expect(await snapshots(two.id)).toHaveLength(1);
  await driver().deleteImage?.(two.id, never);
  expect(await snapshots(two.id)).toEqual([]);
});
