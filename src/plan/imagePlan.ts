/** The plan that builds an image: one machine of a cloud and the image's setup steps, without a service's programs. */
import { checkDrivers, type DriverLookup } from "./check/checkDrivers.js";
import { compile } from "./compile/compile.js";
import { IMPLICIT_CLOUD, type Draft, type DraftLevel, type DraftService } from "./draft/draft.js";
import { imageLayers, imageUse, only } from "./draft/images.js";
import { NOTHING_GIVEN } from "./launchPlan/given.js";
import type { LaunchPlan } from "./launchPlan/launchPlan.js";
import { loadDraft } from "./load.js";
import { Located } from "./yaml/located.js";
import { PlanError, type Mistake } from "./yaml/mistakes.js";
import { parseTemplate } from "./references/references.js";
import { suggest } from "../text/suggest.js";
import { cloudTemplates, templatesOf } from "./draft/templates.js";

/** Keys of a service that also apply to the machine that builds an image. */
const KEYS = ["size", "launch", "ssh", "timeout"];

/** Names the image and the cloud, as in the plan. */
export interface ImagePlace {
  readonly image: string;
  readonly cloud: string;
}

/**
 * Reads a launch plan for one of its images. Variables that the image does not use need no value. Throws `PlanError`
 * with every mistake of the plan, or if the plan has no such image or cloud.
 */
export async function loadImagePlan(
  file: string,
  place: ImagePlace,
  driverDefinition: DriverLookup,
  home?: string,
): Promise<LaunchPlan> {
  const { draft } = await loadDraft(file, { driverDefinition, ...(home === undefined ? {} : { home }) });
  const unknown = [
    ...unknownName("image", "NAME", place.image, [...draft.images.keys()]),
    ...unknownName("cloud", "--cloud", place.cloud, [...draft.clouds.keys(), IMPLICIT_CLOUD]),
  ];
  if (unknown.length > 0) throw new PlanError(unknown);
  const service = builder(draft, place);
  const own: Draft = { ...draft, levels: [service.level], services: new Map([[service.name, service]]) };
  const { definitions, mistakes } = await checkDrivers(own, driverDefinition);
  if (definitions.get(place.cloud)?.needsImage === true && (service.image?.id ?? null) === null) {
    mistakes.push(
      service.own.mistake(
        `image "${place.image}" has no id for cloud "${place.cloud}": ` +
          `add one to start from, such as ${place.cloud}: ami-0a1b2c3d`,
        null,
        "key",
      ),
    );
  }
  if (mistakes.length > 0) throw new PlanError(mistakes);
  const plan = compile(own, definitions);
  const needed = referredVariables(own, service);
  return {
    ...plan,
    given: NOTHING_GIVEN,
    name: `image-${place.image}`,
    description: `What makes image ${place.image}`,
    variables: plan.variables.map((variable) =>
      needed.has(variable.name) ? variable : { ...variable, default: variable.default ?? "" },
    ),
  };
}

/** The only service of such a plan, named after the image. */
function builder(draft: Draft, { image, cloud }: ImagePlace): DraftService {
  const { root } = draft;
  const own = new Located({ image, cloud }, root.source, ["images", image]);
  const use = imageUse(draft.images, [own], cloud);
  const layers = [
    ...(use === null ? [] : imageLayers(use, cloud)),
    draft.clouds.get(cloud)?.get("defaults") ?? null,
    root.get("defaults"),
  ].filter((layer) => layer !== null);
  const level: DraftLevel = { name: "image", index: 0, place: own, services: [] };
  const service: DraftService = {
    name: image,
    level,
    own,
    cloud,
    image: use,
    layers: [own, ...layers.map((layer) => only(layer, (key) => KEYS.includes(key)))],
    given: { replicas: null, inputs: {} },
    attributesKnown: true,
    replicasKnown: true,
  };
  level.services.push(service);
  return service;
}

function referredVariables({ clouds }: Draft, service: DraftService): Set<string> {
  const cloud = clouds.get(service.cloud ?? "");
  const templates = [...templatesOf(service), ...(cloud === undefined ? [] : cloudTemplates(cloud))];
  const references = templates.flatMap(({ place, mode }) => parseTemplate(place.text ?? "", mode).references);
  return new Set(references.flatMap(({ reference }) => (reference.kind === "variable" ? [reference.name] : [])));
}

/** @param option the command's word for it */
function unknownName(what: string, option: string, name: string, known: readonly string[]): Mistake[] {
  if (known.includes(name)) return [];
  const near = suggest(name, known);
  const list = known.length === 0 ? `: the plan has no ${what}s` : `: the plan's ${what}s are ${known.join(", ")}`;
  return [
    {
      file: option,
      line: 0,
      column: 0,
      length: 0,
      message: `unknown ${what} "${name}"${near === null ? list : ""}`,
      suggestion: near,
      excerpt: "",
    },
  ];
}
