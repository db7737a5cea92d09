/** The plan's images: what a service takes from its own and from the images that this one is made from. */
import { imageKeys } from "../schema/schema.js";
import { Located } from "../yaml/located.js";

/** Keys of an image that are about itself; all others are keys of services that are made from it. */
const OWN_KEYS: ReadonlySet<string> = new Set(["from", "description", "packages", "recipe"]);
/** Keys that say of what and where a machine is started: a service on a host starts none. */
export const MACHINE_KEYS: readonly string[] = ["cloud", "image", "size", "launch"];

/** An image of the plan. */
export interface PlanImage {
  readonly name: string;
  readonly own: Located;
}

/** What a service takes from images. */
export interface ImageUse {
  readonly name: string;
  /** Where it is named. */
  readonly place: Located;
  /** The service's image, then the image that it is made from, and so on. */
  readonly chain: readonly PlanImage[];
  /** What the machine is started from in the service's cloud: the nearest id of the chain, or null. */
  readonly id: Located | null;
}

/**
 * An image and all that it is made from, nearest first. It ends before an image that is not there, and before one that
 * stands in it already.
 */
export function imageChain(images: ReadonlyMap<string, Located>, name: string): PlanImage[] {
  const chain = new Map<string, PlanImage>();
  for (let next: string | null = name; next !== null && !chain.has(next);) {
    const own = images.get(next);
    if (own === undefined) break;
    chain.set(next, { name: next, own });
    next = own.get("from")?.text ?? null;
  }
  return [...chain.values()];
}

/**
 * The image that a service is made from, or null where it names none of the plan's.
 * @param layers where the service's `image` may stand, nearest first.
 * @param cloud the service's cloud, or null for one on a host.
 */
export function imageUse(
  images: ReadonlyMap<string, Located>,
  layers: readonly Located[],
  cloud: string | null,
): ImageUse | null {
  const place = layers.map((layer) => layer.get("image")).find((value) => value !== null) ?? null;
  const name = place?.text ?? null;
  if (place === null || name === null || !images.has(name)) return null;
  const chain = imageChain(images, name);
  const ids = cloud === null || isImageKey(cloud) ? [] : chain.map(({ own }) => own.get(cloud));
  return { name, place, chain, id: ids.find((id) => id !== null) ?? null };
}

/** The keys of a service that the images give it, as layers, nearest first. */
export function imageLayers({ chain }: ImageUse, cloud: string | null): Located[] {
  return chain.map(({ own }) =>
    only(own, (key) => isImageKey(key) && !OWN_KEYS.has(key) && (cloud !== null || !MACHINE_KEYS.includes(key))),
  );
}

/** The ids that an image has in clouds, each under the cloud's name; keys that nobody knows are among them. */
export function imageIds(image: Located): [string, Located][] {
  return image.entries().filter(([key]) => !isImageKey(key));
}

/** Whether a key of an image means the same in every plan, and so can be no cloud's name. */
export function isImageKey(key: string): boolean {
  return imageKeys().includes(key);
}

/** A map with some of its keys only, each in its place. */
export function only(map: Located, isWanted: (key: string) => boolean): Located {
  const kept = map
    .entries()
    .filter(([key]) => isWanted(key))
    .map(([key, value]) => [key, value.value]);
  return new Located(Object.fromEntries(kept), map.source, map.path);
}
