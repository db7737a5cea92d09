/** Lists and removes built images. */
import { DriverError } from "../../drivers/contract/driver.js";
import type { BuiltImage } from "../../state/contract/images.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { openCloud } from "../clouds/openCloud.js";

export interface ListedImage extends Omit<BuiltImage, "id" | "place"> {
  /** Runs that are not terminated and whose machines start from it. */
  readonly usedBy: readonly string[];
}

export interface RemoveRequest {
  readonly image: string;
  readonly cloud: string;
  /** A version, or null for all. */
  readonly version: number | null;
  /** Gets the images to remove; false cancels. */
  readonly confirm: (images: readonly ListedImage[]) => Promise<boolean>;
  readonly signal: AbortSignal;
}

export interface RemoveResult {
  readonly removed: readonly ListedImage[];
}

/** Lists every image that was built or is being built, and not removed; oldest first. */
export async function listImages(store: Store): Promise<ListedImage[]> {
  const users = await usersOf(store);
  return (await store.builtImages()).filter(({ state }) => state !== "deleted").map((image) => listed(image, users));
}

/**
 * Removes built images from their cloud.
 * @throws StateError if there is none, or if a live run uses one; nothing is removed then. DriverError,
 *   CloudUnreachableError
 */
export async function removeImages(
  store: Store,
  { image, cloud, version, confirm, signal }: RemoveRequest,
): Promise<RemoveResult> {
  const users = await usersOf(store);
  const chosen = (await store.builtImages()).filter(
    (one) =>
      one.image === image &&
      one.cloud === cloud &&
      one.state === "available" &&
      (version === null || one.version === version),
  );
  const words = `image "${image}"${version === null ? "" : `, version ${version},`}`;
  if (chosen.length === 0)
    throw new StateError(
      `there is no built ${words} in cloud "${cloud}"`,
      "bootlevel image list shows the existing ones",
    );
  const shown = chosen.map((one) => listed(one, users));
  const used = [...new Set(shown.flatMap(({ usedBy }) => usedBy))];
  if (used.length > 0)
    throw new StateError(
      `${words} is used by ${used.join(", ")}: replacement machines there start from it`,
      `terminate ${used.length === 1 ? "that run" : "those runs"} first`,
    );
  if (!(await confirm(shown))) return { removed: [] };
  for (const one of chosen) await remove(store, one, signal);
  return { removed: shown };
}

async function remove(
  store: Store,
  { id, image, cloud, run, driverId }: BuiltImage,
  signal: AbortSignal,
): Promise<void> {
  // The cloud's settings are in the record of the run that built the image.
  const record = await store.findRun(run);
  const { plan } = await store.plan(record);
  const spec = plan.clouds[cloud];
  if (spec === undefined || record.planName !== `image-${image}`)
    throw new StateError(
      `run "${run}" is not the one that built image "${image}"`,
      "remove the image with the cloud's own tools",
    );
  const driver = await openCloud(store, plan, spec, await store.variables(record));
  try {
    if (driver.deleteImage === undefined)
      throw new DriverError(
        `the driver of cloud "${cloud}" cannot remove images; remove ${driverId ?? "it"} with the cloud's own tools`,
      );
    await driver.deleteImage(driverId ?? "", signal);
    await store.changeImage(id, { state: "deleted" });
  } finally {
    await driver.close?.();
  }
}

/** Names of live runs by cloud and driver id of the built image. */
async function usersOf(store: Store): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  for (const run of await store.listRuns({ all: false })) {
    const { plan } = await store.plan(run);
    const used = plan.levels
      .flatMap(({ services }) => services)
      .flatMap(({ placement, imageChoice }) =>
        placement.kind === "cloud" && imageChoice?.built ? [keyOf(placement.cloud, imageChoice.built.id)] : [],
      );
    for (const key of new Set(used)) users.set(key, [...(users.get(key) ?? []), run.name]);
  }
  return users;
}

function listed(
  { id: _id, place: _place, ...image }: BuiltImage,
  users: ReadonlyMap<string, readonly string[]>,
): ListedImage {
  return { ...image, usedBy: image.driverId === null ? [] : (users.get(keyOf(image.cloud, image.driverId)) ?? []) };
}

function keyOf(cloud: string, id: string): string {
  return JSON.stringify([cloud, id]);
}
