/**
 * Finds images without a base or with a circular base, keys that are neither an image's nor a cloud's, and services
 * whose image has no id in their cloud.
 */
import type { DriverDefinition } from "../../drivers/contract/driver.js";
import { keyOf, IMPLICIT_CLOUD, type Draft, type DraftService } from "../draft/draft.js";
import { imageChain, imageIds, isImageKey } from "../draft/images.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { imageKeys } from "../schema/schema.js";
import { suggest } from "../../text/suggest.js";

/** The form of `image:` that a driver accepts. Null: it accepts none, so any value must be an image of the plan. */
const RAW_IMAGES: Readonly<Record<string, RegExp | null>> = {
  local: null,
  existing: null,
  ec2: /^(ami-|ssm:|newest:)/,
};

/** @param definitions the drivers by cloud. Ids are not required in clouds with an unknown driver. */
export function checkImages(draft: Draft, definitions: ReadonlyMap<string, DriverDefinition>): Mistake[] {
  const images = [...draft.images];
  return [
    ...images.flatMap(([name, image]) => [
      ...checkParent(draft, name, image),
      ...checkKeys(draft, image),
      ...checkRecipe(image),
    ]),
    ...checkCircles(draft),
    ...(images.length === 0 ? [] : checkCloudNames(draft)),
    ...draft.levels
      .flatMap(({ services }) => services)
      .flatMap((service) => [...checkId(service, definitions), ...checkRawImage(draft, service)]),
  ];
}

function checkParent(draft: Draft, name: string, image: Located): Mistake[] {
  const from = image.get("from");
  const parent = from?.text ?? null;
  if (from === null || parent === null || draft.images.has(parent) || !draft.imagesKnown || draft.cutImages.has(parent))
    return [];
  const others = [...draft.images.keys()].filter((other) => other !== name);
  const near = suggest(parent, others);
  const list =
    others.length === 0 ? "the plan has no other images" : `the plan's other images are ${others.join(", ")}`;
  return [from.mistake(`unknown image "${parent}"${near === null ? `: ${list}` : ""}`, near)];
}

/** Reports each circle once, at its first image in the plan. */
function checkCircles(draft: Draft): Mistake[] {
  const told = new Set<string>();
  return [...draft.images].flatMap(([name, image]) => {
    const chain = imageChain(draft.images, name).map((one) => one.name);
    const from = image.get("from");
    const last = draft.images.get(chain.at(-1) ?? "")?.get("from")?.text ?? null;
    if (from === null || last !== name || told.has(name)) return [];
    for (const one of chain) told.add(one);
    const words = [...chain, name].map((one) => `"${one}"`).join(" -> ");
    return [
      from.mistake(
        chain.length === 1
          ? `image "${name}" is made from itself: remove "from" or name another image`
          : `circular images: ${words}: change "from" of one of them`,
      ),
    ];
  });
}

function checkKeys(draft: Draft, image: Located): Mistake[] {
  return imageIds(image).flatMap(([key, value]) => {
    const isCloud = draft.clouds.has(key) || draft.cutClouds.has(key) || key === IMPLICIT_CLOUD;
    if (isCloud)
      return value.text !== null && value.text !== ""
        ? []
        : [value.mistake(`the id of image "${image.name}" in cloud "${key}" must be text, such as ami-0a1b2c3d`)];
    if (!draft.cloudsKnown) return [];
    const clouds = [...new Set([...draft.clouds.keys(), IMPLICIT_CLOUD])];
    const near = suggest(key, [...imageKeys(), ...clouds]);
    return [
      value.mistake(
        `unknown key "${key}" in image "${image.name}"${near === null ? `: valid keys are ${imageKeys().join(", ")}, and the cloud names ${clouds.join(", ")}` : ""}`,
        near,
        "key",
      ),
    ];
  });
}

function checkRecipe(image: Located): Mistake[] {
  const where = image.get("recipe")?.get("where") ?? null;
  return where?.text === "launcher" ? [where.mistake(`a recipe always runs on the machine: remove "where"`)] : [];
}

function checkCloudNames(draft: Draft): Mistake[] {
  return [...draft.clouds]
    .filter(([name]) => isImageKey(name))
    .map(([name, cloud]) =>
      cloud.mistake(
        `cloud "${name}" has the name of a key of images, so no image could have an id in it: rename the cloud`,
        null,
        "key",
      ),
    );
}

function checkId({ cloud, image }: DraftService, definitions: ReadonlyMap<string, DriverDefinition>): Mistake[] {
  if (
    image === null ||
    cloud === null ||
    image.id !== null ||
    isImageKey(cloud) ||
    definitions.get(cloud)?.needsImage !== true
  )
    return [];
  const among =
    image.chain.length === 1
      ? "it"
      : `it or ${image.chain
          .slice(1)
          .map(({ name }) => `"${name}"`)
          .join(" or ")}`;
  return [
    image.place.mistake(
      `image "${image.name}" has no id for cloud "${cloud}": add one to ${among}, such as ${cloud}: ami-0a1b2c3d`,
    ),
  ];
}

/**
 * Finds words that the driver cannot accept. On a driver with images of its own, only a word that resembles an image's
 * name is a mistake. On one without, a service's own word means nothing; a default may be meant for services of other
 * clouds.
 */
function checkRawImage(draft: Draft, service: DraftService): Mistake[] {
  const raw = service.cloud === null || service.image !== null ? null : keyOf(service, "image");
  const text = raw?.text ?? null;
  if (raw === null || text === null || draft.cutImages.has(text) || text.includes("${")) return [];
  const driver =
    draft.clouds.get(service.cloud ?? "")?.get("driver")?.text ?? (service.cloud === IMPLICIT_CLOUD ? "local" : "");
  if (!Object.hasOwn(RAW_IMAGES, driver) || RAW_IMAGES[driver]?.test(text) === true) return [];
  const near = suggest(text, draft.images.keys());
  const meaningless = RAW_IMAGES[driver] === null && service.own.get("image") !== null;
  if (near === null && meaningless)
    return [
      raw.mistake(
        `"${text}" is no image of the plan, and driver "${driver}" has no images of its own, so it would be ignored: ` +
          `remove it, or describe the image under images:`,
      ),
    ];
  return near === null
    ? []
    : [raw.mistake(`"${text}" is neither an image of the plan nor an image of driver "${driver}"`, near)];
}
