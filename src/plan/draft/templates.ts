/** Every string of a service that may contain references, and what it may refer to. */
import { keyOf, mergedEntries, sizesOf, type Draft, type DraftService } from "./draft.js";
import { imageIds } from "./images.js";
import { inputsOf } from "./inputs.js";
import type { Located } from "../yaml/located.js";
import type { TemplateMode } from "../references/references.js";

/** One string and the rules for its references. */
export interface TemplatePlace {
  readonly place: Located;
  readonly mode: TemplateMode;
  /** What `${self.x}` may name: everything, everything but outputs, only built-in attributes, or nothing. */
  readonly self: "all" | "no outputs" | "built-in" | "none";
  /** Whether references to services, `run` and `plan` are allowed. */
  readonly services: boolean;
  /** Names the place for messages, if those references are not allowed. */
  readonly holder?: string;
  /** Null if secrets are allowed; otherwise the reason why not. */
  readonly noSecrets: string | null;
  /** What to do instead of using a secret. Default: to pass it in the env of a program. */
  readonly instead?: string;
}

const STORED = "is printed and stored in clear";

/** The templates of a service, in arbitrary order. */
export function templatesOf(service: DraftService): TemplatePlace[] {
  const places: TemplatePlace[] = [];
  const add = (
    place: Located | null,
    self: TemplatePlace["self"],
    noSecrets: string | null,
    mode: TemplateMode = "strict",
  ): void => {
    if (place?.text?.includes("${")) places.push({ place, mode, self, services: true, noSecrets });
  };
  if (service.cloud === null) add(keyOf(service, "host"), "none", `a host ${STORED}`);
  else {
    add(keyOf(service, "image"), "none", `"image" ${STORED}`);
    for (const place of sizesOf(service)) add(place, "none", `"size" ${STORED}`);
    for (const place of keyOf(service, "launch")?.strings() ?? []) add(place, "none", `"launch" ${STORED}`);
  }
  for (const place of mergedEntries(service, "attributes").values()) add(place, "built-in", null);
  for (const input of inputsOf(service).values()) if (input.kind === "value") add(input.place, "built-in", null);
  for (const key of ["boot", "ready", "execute", "report", "terminate"]) {
    const self = key === "boot" ? "no outputs" : "all";
    for (const { place, noSecrets, mode } of programPlaces(keyOf(service, key))) add(place, self, noSecrets, mode);
    for (const place of keyOf(service, key)?.get("patterns")?.items() ?? [])
      add(place, self, "file names are printed in clear");
  }
  return [...places, ...(service.image?.chain ?? []).flatMap(({ own }) => recipeTemplates(own))];
}

/** The strings of a program that may contain references. */
function programPlaces(program: Located | null): Pick<TemplatePlace, "place" | "noSecrets" | "mode">[] {
  const command = program?.get("command") ?? null;
  const args = program?.get("args")?.items() ?? [];
  const env = program?.get("env")?.entries() ?? [];
  return [
    ...(command === null ? [] : [{ place: command, noSecrets: null, mode: "command" as const }]),
    ...args.map((place) => ({ place, noSecrets: "arguments are visible in process lists", mode: "strict" as const })),
    ...env.map(([, place]) => ({ place, noSecrets: null, mode: "strict" as const })),
  ];
}

/**
 * The templates that belong to the image itself: its ids in clouds, and its recipe. They are the same for every service
 * that uses it.
 */
export function imageTemplates(image: Located): TemplatePlace[] {
  const ids = imageIds(image).map(([, place]): TemplatePlace => ({
    place,
    mode: "strict",
    self: "none",
    services: false,
    holder: "the id of an image in a cloud",
    noSecrets: `"image" ${STORED}`,
  }));
  return [...ids.filter(({ place }) => place.text?.includes("${")), ...recipeTemplates(image)];
}

function recipeTemplates(image: Located): TemplatePlace[] {
  return programPlaces(image.get("recipe"))
    .filter(({ place }) => place.text?.includes("${"))
    .map((program) => ({ ...program, self: "none", services: false, holder: "a recipe" }));
}

/** The templates in a cloud's own keys. */
export function cloudTemplates(cloud: Located): TemplatePlace[] {
  return cloudOptions(cloud).flatMap(([key, value]) =>
    value
      .strings()
      .filter((place) => place.text?.includes("${"))
      .map((place): TemplatePlace => {
        const noSecrets = key === "hosts" ? `the address of a host ${STORED}` : null;
        const instead = "use a variable that is not secret";
        return { place, mode: "strict", self: "none", services: false, noSecrets, instead };
      }),
  );
}

/** A cloud's own keys. */
export function cloudOptions(cloud: Located): [string, Located][] {
  return cloud.entries().filter(([key]) => key !== "driver" && key !== "defaults");
}

/** The names of the clouds that services use. */
export function usedClouds(draft: Draft): Set<string> {
  return new Set(
    draft.levels.flatMap(({ services }) => services).flatMap(({ cloud }) => (cloud === null ? [] : [cloud])),
  );
}
