/** Decides which built image each machine of a plan starts from. The decision is stored with the run. */
import type { CloudSpec, ImageChoice, LaunchPlan, ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import { resolveTemplate, type ReferenceLookup } from "../../plan/references/resolve.js";
import type { BuiltImage } from "../../state/contract/images.js";
import type { BundleRecord, VariableRecord } from "../../state/contract/records.js";
import { definitionOf, imageValues, placeOf, withContents } from "./definition.js";

export interface Choosing {
  readonly plan: LaunchPlan;
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly variables: readonly VariableRecord[];
  /** Every image that was ever built. */
  readonly built: readonly BuiltImage[];
  /** The run's previous plan; its decision stays for images that have not changed. Null for a new run. */
  readonly before: LaunchPlan | null;
  /** Whether a complete image may be used, and not only the images that it builds on. */
  readonly whole: boolean;
}

export interface Chosen {
  readonly plan: LaunchPlan;
  /** Warnings about built images that cannot be used. */
  readonly warnings: readonly string[];
}

/**
 * Chooses for each service the newest built image with the most of its setup steps. The remaining steps run at boot.
 */
export function chooseImages(choosing: Choosing): Chosen {
  const lookup = imageValues(choosing.variables);
  const warnings = new Set<string>();
  const levels = choosing.plan.levels.map((level) => ({
    ...level,
    services: level.services.map((service) => chooseFor(service, choosing, lookup, warnings)),
  }));
  return { plan: { ...choosing.plan, levels }, warnings: [...warnings] };
}

function chooseFor(
  written: ServiceSpec,
  choosing: Choosing,
  lookup: ReferenceLookup,
  warnings: Set<string>,
): ServiceSpec {
  if (typeof written.imageName !== "string") return written;
  const service = { ...written, setup: withContents(written, choosing.bundles, lookup) };
  const cloud = service.placement.kind === "cloud" ? choosing.plan.clouds[service.placement.cloud] : undefined;
  if (cloud === undefined) return service;
  const base = service.image === null ? "" : resolveTemplate(service.image, lookup);
  const definition = definitionOf(cloud, base, service.setup.at(-1), lookup);
  const built =
    keptChoice(written, definition, choosing.before) ?? newest(service, cloud, base, choosing, lookup, warnings);
  const imageChoice: ImageChoice = { definition, built: built === "none" ? null : built };
  if (imageChoice.built === null) return { ...service, imageChoice };
  return {
    ...service,
    imageChoice,
    image: [imageChoice.built.id],
    setup: service.setup.slice(imageChoice.built.steps),
  };
}

/** The decision of the run's previous plan for the same image; null if there is none or the image has changed. */
function keptChoice(
  { name, was }: ServiceSpec,
  definition: string,
  before: LaunchPlan | null,
): ImageChoice["built"] | "none" {
  const services = before?.levels.flatMap((level) => level.services) ?? [];
  const former = services.find((service) => service.name === name) ?? services.find((service) => service.name === was);
  return former?.imageChoice?.definition === definition ? (former.imageChoice.built ?? "none") : null;
}

/** The newest built image with the most of the service's steps. */
function newest(
  { setup = [] }: ServiceSpec,
  cloud: CloudSpec,
  base: string,
  { plan, built, whole }: Choosing,
  lookup: ReferenceLookup,
  warnings: Set<string>,
): ImageChoice["built"] {
  const place = placeOf(cloud, lookup);
  const usable = built.flatMap((one) =>
    one.cloud === cloud.name && one.place === place && one.state === "available" && one.driverId !== null
      ? [{ ...one, id: one.driverId }]
      : [],
  );
  let isTold = false;
  for (let steps = setup.length; steps > 0; steps -= 1) {
    const last = setup[steps - 1];
    const isWhole = setup[steps]?.image !== last?.image;
    if (last === undefined || !isWhole || (!whole && steps === setup.length)) continue;
    const definition = definitionOf(cloud, base, last, lookup);
    const found = usable.findLast((one) => one.definition === definition);
    if (found !== undefined) return { image: found.image, version: found.version, id: found.id, steps };
    const old = usable.findLast((one) => one.image === last.image && one.planFile === plan.file);
    // One warning is enough: rebuilding the last image rebuilds the images that it builds on.
    if (old !== undefined && !isTold && whole) {
      isTold = true;
      warnings.add(
        `image "${old.image}" has changed since version ${old.version} was built in cloud "${cloud.name}", ` +
          `so version ${old.version} is not used. Build it again: ` +
          `bootlevel image build ${old.image} --cloud ${cloud.name}`,
      );
    }
  }
  return null;
}
