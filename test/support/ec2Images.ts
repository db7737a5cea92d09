/**
 * What moto does not know of images: tags of snapshots in the call that makes an image, names that are taken, and that
 * an image takes its time.
 */
import { CreateTagsCommand, DescribeImagesCommand, EC2Client, type Image } from "@aws-sdk/client-ec2";

import { refusal, type Layer } from "./moto.js";

const REGION = "eu-central-1";

/** All images of the account, by the real API, past every fault. */
export async function ownImages(endpoint: string): Promise<Image[]> {
  return asking(
    endpoint,
    async (client) => (await client.send(new DescribeImagesCommand({ Owners: ["self"] }))).Images ?? [],
  );
}

/** An image's snapshots get the tags that the call that makes it has for them; a name gives one image only. */
export function imagesLayer(endpoint: string): Layer {
  return async (call, next) => {
    if (call.action !== "CreateImage") return next(call);
    const taken = (await ownImages(endpoint)).find(({ Name }) => Name === call.parameters.get("Name"));
    if (taken !== undefined)
      return refusal({
        status: 400,
        code: "InvalidAMIName.Duplicate",
        message: `AMI name ${String(taken.Name)} is already in use by AMI ${String(taken.ImageId)}`,
      });
    const { rest, tags } = withoutSnapshotTags(call.parameters);
    const reply = await next({ action: call.action, parameters: rest });
    const id = typeof reply === "string" ? undefined : /<imageId>(ami-\w+)/.exec(reply.text)?.[1];
    if (id !== undefined) await tagSnapshots(endpoint, id, tags);
    return reply;
  };
}

/** Images are pending, as often as they are asked for, before they are what `ends` says. */
export function slowImages(times: number, ends: "available" | "failed" = "available"): Layer {
  const asked = new Map<string, number>();
  return async (call, next) => {
    const reply = await next(call);
    const id = call.parameters.get("ImageId.1");
    if (call.action !== "DescribeImages" || id === null || reply === "cut") return reply;
    asked.set(id, (asked.get(id) ?? 0) + 1);
    const state = (asked.get(id) ?? 0) <= times ? "pending" : ends;
    const reason =
      state === "failed"
        ? "<stateReason><code>Client.InternalError</code><message>Client error on volume vol-1</message></stateReason>"
        : "";
    return {
      ...reply,
      text: reply.text.replace(/<imageState>\w+<\/imageState>/, `<imageState>${state}</imageState>${reason}`),
    };
  };
}

function withoutSnapshotTags(parameters: URLSearchParams): { rest: URLSearchParams; tags: Map<string, string> } {
  const places = [...parameters].flatMap(([name, value]) =>
    /^TagSpecification\.\d+\.ResourceType$/.test(name) && value === "snapshot" ? [name.split(".", 2).join(".")] : [],
  );
  const isSnapshots = (name: string) => places.some((place) => name.startsWith(`${place}.`));
  const tags = new Map(
    [...parameters].flatMap(([name, value]) =>
      isSnapshots(name) && name.endsWith(".Key")
        ? [[value, parameters.get(name.replace(/Key$/, "Value")) ?? ""] as const]
        : [],
    ),
  );
  return { rest: new URLSearchParams([...parameters].filter(([name]) => !isSnapshots(name))), tags };
}

async function tagSnapshots(endpoint: string, image: string, tags: ReadonlyMap<string, string>): Promise<void> {
  const found = (await ownImages(endpoint)).find(({ ImageId }) => ImageId === image);
  const Resources = (found?.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []);
  await asking(endpoint, (client) =>
    client.send(new CreateTagsCommand({ Resources, Tags: [...tags].map(([Key, Value]) => ({ Key, Value })) })),
  );
}

async function asking<T>(endpoint: string, ask: (client: EC2Client) => Promise<T>): Promise<T> {
  const client = new EC2Client({ endpoint, region: REGION });
  try {
    return await ask(client);
  } finally {
    client.destroy();
  }
}
