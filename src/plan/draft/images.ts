/** The plan's images: what a service inherits from its image and from that image's bases. */
import { imageKeys } from "../schema/schema.js";
import { Located } from "../yaml/located.js";

/** Keys that describe the image itself. All others are keys of the services that use it. */
const OWN_KEYS: ReadonlySet<string> = new Set(["from", "description", "packages", "recipe"]);
/** Keys that describe the machine to start. A service on a host starts none. */
export const MACHINE_KEYS: readonly string[] = ["cloud", "image", "size", "launch"];

/** An image of the plan. */
export interface PlanImage {
  readonly name: string;
  readonly own: Located;
}

/** What a service inherits from images. */
export interface ImageUse {
  readonly name: string;
  /** The place that names the image. */
  readonly place: Located;
  /** The service's image, then that image's base, and so on. */
  readonly chain: readonly PlanImage[];
  /** The image's id in the service's cloud: the nearest one in the chain, or null. */
  readonly id: Located | null;
}

/**
 * An image and all of its bases, nearest first. Ends before a missing image and before one that is already in the
 * chain.
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
 * The image that a service uses, or null if it names no image of the plan.
 * @param layers the layers that may contain the service's `image`, nearest first.
 * @param cloud the service's cloud, or null for a service on a host.
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

/** The service keys that the images provide, as layers, nearest first. */
export function imageLayers({ chain }: ImageUse, cloud: string | null): Located[] {
  return chain.map(({ own }) =>
    only(own, (key) => isImageKey(key) && !OWN_KEYS.has(key) && (cloud !== null || !MACHINE_KEYS.includes(key))),
  );
}

/** An image's ids by cloud name. Unknown keys are included. */
export function imageIds(image: Located): [string, Located][] {
  return image.entries().filter(([key]) => !isImageKey(key));
}

/** Whether a key has a fixed meaning in every image, and so cannot be a cloud's name. */
export function isImageKey(key: string): boolean {
  return imageKeys().includes(key);
}

/** A map reduced to some of its keys. Their places are kept. */
export function only(map: Located, isWanted: (key: string) => boolean): Located {
  const kept = map
    .entries()
    .filter(([key]) => isWanted(key))
    .map(([key, value]) => [key, value.value]);
  return new Located(Object.fromEntries(kept), map.source, map.path);
}
