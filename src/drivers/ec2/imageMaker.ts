/** Creates images of machines, and removes them with their snapshots. */
import type { Image } from "@aws-sdk/client-ec2";

import type { Clock } from "../../time/clock.js";
import { DriverError, ImageFailedError, LostReplyError, type ImageRequest } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import { isNoSuchImage, isRefusedError } from "./errors.js";
import { imageById } from "./imageById.js";
import { runTags, TAG, tagList } from "./machines.js";

/**
 * Milliseconds between two polls for an image: the first pause, and the longest. Each pause is longer than the one
 * before.
 */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 30_000;
/** The timeout for an image, in milliseconds. The first copy of a large disk takes an hour or more. */
const AVAILABLE_MS = 4 * 60 * 60_000;
/** How long the cloud may hide an image that it has begun, in milliseconds. */
const HIDDEN_MS = 2 * 60_000;

export interface ImageMakerParts {
  readonly api: Pick<Ec2Api, "call">;
  readonly clock: Clock;
}

/** Like `Driver.createImage`. */
export async function createImage(
  request: ImageRequest,
  parts: ImageMakerParts,
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const known = (await imageNamed(request, parts, signal))?.ImageId;
  const id = known ?? (await begin(request, parts, signal));
  await waitUntilAvailable(id, parts, signal);
  return { id };
}

/** Like `Driver.deleteImage`. */
export async function deleteImage(id: string, parts: ImageMakerParts, signal: AbortSignal): Promise<void> {
  const { api } = parts;
  const image = await imageById(id, parts.api, signal);
  const own = (image?.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []);
  try {
    await api.call(
      "DeregisterImage",
      "change",
      ({ client, sdk }) => client.send(new sdk.DeregisterImageCommand({ ImageId: id })),
      signal,
    );
  } catch (error) {
    if (!isNoSuchImage(error)) throw error;
  }
  // An earlier attempt may have stopped after removing the image. Then only the descriptions of its snapshots identify
  // them.
  for (const snapshot of new Set([...own, ...(await snapshotsOf(id, parts, signal))]))
    await deleteSnapshot(snapshot, parts, signal);
}

/**
 * Requests an image.
 * @returns its id, or the id of the image of this name that another call has begun.
 */
async function begin(request: ImageRequest, parts: ImageMakerParts, signal: AbortSignal): Promise<string> {
  const { machine, name, description, mark } = request;
  const tags = tagList({ ...runTags(mark), Name: `${mark.service} ${name}`.slice(0, 256), [TAG.image]: mark.service });
  const input = {
    InstanceId: machine,
    Name: name,
    Description: description.slice(0, 255),
    NoReboot: false, // what the machine has not written to its disk yet is no part of an image
    TagSpecifications: (["image", "snapshot"] as const).map((ResourceType) => ({ ResourceType, Tags: tags })),
  };
  try {
    const { ImageId } = await parts.api.call(
      "CreateImage",
      "change",
      ({ client, sdk }) => client.send(new sdk.CreateImageCommand(input)),
      signal,
    );
    if (ImageId === undefined) throw new LostReplyError("CreateImage: the answer names no image");
    return ImageId;
  } catch (error) {
    if (!isRefusedError(error) || error.refusal !== "InvalidAMIName.Duplicate") throw error;
    return adopt(request, parts, signal, error);
  }
}

/** The image that already has the name: an earlier call began it, and the cloud may still hide it. */
async function adopt(
  request: ImageRequest,
  parts: ImageMakerParts,
  signal: AbortSignal,
  taken: Error,
): Promise<string> {
  const { clock } = parts;
  for (const until = clock.now() + HIDDEN_MS; ; await clock.sleep(FIRST_PAUSE_MS, signal)) {
    const id = (await imageNamed(request, parts, signal))?.ImageId;
    if (id !== undefined) return id;
    if (clock.now() > until) throw taken;
  }
}

/**
 * This installation's image of that name, or null.
 * @throws DriverError if the image of that name was made by another installation.
 */
async function imageNamed(
  { name, mark }: ImageRequest,
  { api }: ImageMakerParts,
  signal: AbortSignal,
): Promise<Image | null> {
  const input = { Owners: ["self"], Filters: [{ Name: "name", Values: [name] }] };
  const { Images = [] } = await api.call(
    "DescribeImages",
    "describe",
    ({ client, sdk }) => client.send(new sdk.DescribeImagesCommand(input)),
    signal,
  );
  const found = Images.find((image) => image.Name === name) ?? null;
  const owner = found?.Tags?.find(({ Key }) => Key === TAG.installation)?.Value;
  if (found !== null && owner !== mark.installation)
    throw new DriverError(
      `image ${name} (${found.ImageId ?? "?"}) exists, but this installation has not made it: remove or rename it`,
    );
  return found;
}

async function waitUntilAvailable(id: string, parts: ImageMakerParts, signal: AbortSignal): Promise<void> {
  const { clock } = parts;
  const startedAt = clock.now();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.3)) {
    const image = await imageById(id, parts.api, signal);
    const state = image?.State;
    if (state === "available") return;
    const hidden = image === null && clock.now() < startedAt + HIDDEN_MS;
    if (!hidden && state !== "pending" && state !== "transient") throw await failed(id, image, parts, signal);
    if (clock.now() > startedAt + AVAILABLE_MS)
      throw new DriverError(`image ${id} is not available after ${AVAILABLE_MS / 3_600_000} hours: request it again`);
    await clock.sleep(pause, signal);
  }
}

/**
 * Removes a failed image: it is useless, and it blocks its name.
 * @returns the error to throw
 */
async function failed(id: string, image: Image | null, parts: ImageMakerParts, signal: AbortSignal): Promise<Error> {
  const reason = image?.StateReason?.Message ?? image?.State ?? "it is gone";
  const words = `the cloud could not create image ${id}: ${reason}`;
  try {
    await deleteImage(id, parts, signal);
    return new ImageFailedError(words);
  } catch (error) {
    return new ImageFailedError(`${words}; its remains could not be removed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The snapshots that were made for an image, found by EC2's description of them. */
async function snapshotsOf(id: string, { api }: ImageMakerParts, signal: AbortSignal): Promise<string[]> {
  const Filters = [{ Name: "description", Values: [`Created by CreateImage(*) for ${id}*`] }];
  const { Snapshots = [] } = await api.call(
    "DescribeSnapshots",
    "describe",
    ({ client, sdk }) => client.send(new sdk.DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters })),
    signal,
  );
  return Snapshots.flatMap(({ SnapshotId, Description }) =>
    SnapshotId !== undefined && Description?.includes(id) === true ? [SnapshotId] : [],
  );
}

async function deleteSnapshot(snapshot: string, { api }: ImageMakerParts, signal: AbortSignal): Promise<void> {
  try {
    await api.call(
      "DeleteSnapshot",
      "change",
      ({ client, sdk }) => client.send(new sdk.DeleteSnapshotCommand({ SnapshotId: snapshot })),
      signal,
    );
  } catch (error) {
    if (!isRefusedError(error) || error.refusal !== "InvalidSnapshot.NotFound") throw error;
  }
}
