/**
 * The draft: a plan between text and compiled form. It has every service with its effective keys (its own, its image's,
 * its cloud's defaults, the plan's), each with its place. It is made from the valid parts of a plan and records which
 * parts were removed. So a mistake is reported once, not again for everything that refers to it.
 */
import { resolve } from "node:path";
import { NOTHING_GIVEN, ownValue, type Given, type GivenToService } from "../launchPlan/given.js";
import { imageLayers, imageUse, MACHINE_KEYS, only, type ImageUse } from "./images.js";
import { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { checkSchema, type SchemaResult } from "../schema/schema.js";
import { readSource } from "../yaml/readSource.js";

export interface DraftService {
  readonly name: string;
  readonly level: DraftLevel;
  /** The service's own keys. */
  readonly own: Located;
  /** The name of the cloud, or null for a service that runs on a host. */
  readonly cloud: string | null;
  /** The plan's image that it uses, or null. */
  readonly image: ImageUse | null;
  /**
   * Its layers of keys, nearest first: the service, its image and that image's bases, its cloud's defaults, the plan's
   * defaults.
   */
  readonly layers: readonly Located[];
  /** The operator's values for it on the command line. */
  readonly given: GivenToService;
  /** False if a mistake leaves its attributes or its number of replicas unknown. */
  readonly attributesKnown: boolean;
  readonly replicasKnown: boolean;
}

export interface DraftLevel {
  readonly name: string;
  readonly index: number;
  /** The place of the level's name, or else of the level. */
  readonly place: Located;
  readonly services: DraftService[];
}

export interface Draft {
  readonly root: Located;
  /** The operator's home directory, which `~` stands for. */
  readonly home: string;
  readonly levels: readonly DraftLevel[];
  readonly clouds: ReadonlyMap<string, Located>;
  readonly variables: ReadonlyMap<string, Located>;
  readonly images: ReadonlyMap<string, Located>;
  /** The first service of each name. */
  readonly services: ReadonlyMap<string, DraftService>;
  /** Names of services that were removed because of mistakes. */
  readonly cutServices: ReadonlySet<string>;
  readonly cutVariables: ReadonlySet<string>;
  readonly cutClouds: ReadonlySet<string>;
  readonly cutImages: ReadonlySet<string>;
  /** False if a service was removed or could not be read, so that its name is unknown. */
  readonly servicesKnown: boolean;
  readonly variablesKnown: boolean;
  readonly cloudsKnown: boolean;
  readonly imagesKnown: boolean;
}

/** The cloud that exists without a declaration: processes on this computer. */
export const IMPLICIT_CLOUD = "local";

/**
 * Creates the draft of a plan that has been read. Adds the mistakes of the plan and of its level files to `mistakes`.
 * @param home the directory that `~` stands for.
 */
export function makeDraft(original: Located, mistakes: Mistake[], home: string, given: Given = NOTHING_GIVEN): Draft {
  const checked = checkSchema(original, "plan");
  mistakes.push(...checked.mistakes, ...nulBytes(original));
  return new DraftMaker(original, checked, mistakes, home, given).make();
}

/**
 * The effective value of a service's key, or null. For a service with an image of the plan, `image` is that image's id
 * in the service's cloud.
 */
export function keyOf(service: DraftService, key: string): Located | null {
  if (key === "image" && service.image !== null) return service.image.id;
  for (const layer of service.layers) {
    const value = layer.get(key);
    if (value !== null) return value;
  }
  return null;
}

/** The effective entries of a key whose map is merged key by key (`attributes`, `ssh`). */
export function mergedEntries(service: DraftService, key: string): Map<string, Located> {
  const merged = new Map<string, Located>();
  for (const layer of service.layers)
    for (const [name, value] of layer.get(key)?.entries() ?? []) if (!merged.has(name)) merged.set(name, value);
  return merged;
}

/** The sizes of a service's machine: the preferred one, then the alternatives where there is no capacity for it. */
export function sizesOf(service: DraftService): Located[] {
  const size = keyOf(service, "size");
  if (size === null) return [];
  return Array.isArray(size.value) ? size.items() : [size];
}

/** The number of a service's replicas. */
export function replicasOf(service: DraftService): number {
  if (service.given.replicas !== null) return service.given.replicas;
  const value = keyOf(service, "replicas")?.value;
  return typeof value === "number" ? value : 1;
}

/** The lists of a service's outputs: its own and those of its images. If there are none, the nearest defaults apply. */
export function outputLists(service: DraftService): Located[] {
  const near = service.layers
    .slice(0, 1 + (service.image?.chain.length ?? 0))
    .flatMap((layer) => layer.get("outputs") ?? []);
  return near.length > 0 ? near : [keyOf(service, "outputs")].filter((list) => list !== null);
}

export interface DraftOutput {
  readonly place: Located;
  readonly secret: boolean;
  /** Its value if no program sets one, or null. */
  readonly default: Located | null;
}

/** A service's outputs by name. */
export function outputsOf(service: DraftService): Map<string, DraftOutput> {
  const outputs = new Map<string, DraftOutput>();
  for (const item of outputLists(service).flatMap((list) => list.items())) {
    const name = item.get("name")?.text ?? item.text;
    if (name !== null && !outputs.has(name))
      outputs.set(name, { place: item, secret: item.get("secret")?.value === true, default: item.get("default") });
  }
  return outputs;
}

class DraftMaker {
  private readonly levels: DraftLevel[] = [];
  private readonly services = new Map<string, DraftService>();
  private readonly cutServices = new Set<string>();
  private servicesKnown = true;
  private readonly root: Located;
  private readonly clouds: Map<string, Located>;
  private readonly images: Map<string, Located>;

  constructor(
    private readonly original: Located,
    private readonly checked: SchemaResult,
    private readonly mistakes: Mistake[],
    private readonly home: string,
    private readonly given: Given,
  ) {
    this.root = checked.healthy;
    this.clouds = new Map(this.root.get("clouds")?.entries());
    this.images = new Map(this.root.get("images")?.entries());
  }

  make(): Draft {
    if (!this.isWhole("levels")) this.servicesKnown = false;
    const written = this.original.get("levels")?.items() ?? [];
    const healthy = new Map(
      this.root
        .get("levels")
        ?.items()
        .map((level) => [level.name, level]),
    );
    for (const [index, original] of written.entries())
      this.addLevel(index, original, healthy.get(original.name) ?? null);
    const variables = new Map(this.root.get("variables")?.entries());
    const names = (key: string) =>
      new Set(
        this.original
          .get(key)
          ?.entries()
          .map(([name]) => name),
      );
    return {
      root: this.root,
      home: this.home,
      levels: this.levels,
      clouds: this.clouds,
      variables,
      images: this.images,
      services: this.services,
      cutServices: this.cutServices,
      servicesKnown: this.servicesKnown,
      variablesKnown: this.isWhole("variables"),
      cloudsKnown: this.isWhole("clouds"),
      imagesKnown: this.isWhole("images"),
      cutVariables: names("variables"),
      cutClouds: names("clouds"),
      cutImages: names("images"),
    };
  }

  private isWhole(key: string): boolean {
    return this.original.get(key) === null || this.root.get(key) !== null;
  }

  private addLevel(index: number, original: Located, healthy: Located | null): void {
    const file = healthy?.get("file")?.text ?? null;
    if (healthy !== null && file !== null) return this.addLevelFile(index, healthy, file);
    if (original.get("file") !== null) this.servicesKnown = false;
    this.addServices(index, original, healthy, this.checked);
  }

  private addLevelFile(index: number, level: Located, file: string): void {
    const read = readSource(resolve(level.dir, file), "the level");
    const place = level.get("file") ?? level;
    // A missing file is a mistake of the plan. A mistake inside the file belongs to the file.
    this.mistakes.push(
      ...read.mistakes.map((mistake) =>
        mistake.line === 0 ? place.mistake(`level file "${file}": ${mistake.message}`) : mistake,
      ),
    );
    if (read.source === null) {
      this.servicesKnown = false;
      return;
    }
    const original = Located.root(read.source);
    const checked = checkSchema(original, "level");
    this.mistakes.push(...checked.mistakes, ...nulBytes(original));
    this.addServices(index, original, checked.healthy, checked);
  }

  private addServices(index: number, original: Located, healthy: Located | null, checked: SchemaResult): void {
    const name = healthy?.get("name");
    const level: DraftLevel = {
      name: name?.text ?? `level-${index + 1}`,
      index,
      place: name ?? healthy ?? original,
      services: [],
    };
    this.levels.push(level);
    const kept = healthy?.get("services") ?? null;
    const written = original.get("services");
    if (healthy === null || (written !== null && kept === null)) this.servicesKnown = false;
    for (const [service, own] of written?.entries() ?? []) {
      const rest = kept?.get(service) ?? null;
      if (rest === null) this.cutServices.add(service);
      else this.addService(level, service, rest, this.cutKeys(own, checked));
    }
  }

  /** The direct keys of a service that contain a removed part. */
  private cutKeys(own: Located, checked: SchemaResult): Set<string> {
    const depth = own.path.length;
    return new Set(
      checked.cut
        .filter((path) => path.length > depth && own.path.every((step, index) => String(path[index]) === String(step)))
        .map((path) => String(path[depth])),
    );
  }

  private addService(level: DraftLevel, name: string, own: Located, cut: ReadonlySet<string>): void {
    const cloud = this.cloudOf(own);
    const defaults = this.root.get("defaults");
    const cloudDefaults = cloud === null ? null : (this.clouds.get(cloud)?.get("defaults") ?? null);
    const below = [cloudDefaults, cloud === null ? withoutMachine(defaults) : defaults].filter(
      (layer) => layer !== null,
    );
    const image = imageUse(this.images, [own, ...below], cloud);
    const layers = [own, ...(image === null ? [] : imageLayers(image, cloud)), ...below];
    // A misspelt key could have been any key, and a mistake in the defaults affects every service.
    const known = [
      "image",
      "size",
      "ssh",
      "boot",
      "ready",
      "report",
      "terminate",
      "execute",
      "timeout",
      "log_limit",
      "launch",
      "cloud",
      "host",
      "replicas",
    ];
    const defaultsCut = this.checked.cut.some((path) => path[0] === "defaults" || path[2] === "defaults");
    const isWhole = (keys: readonly string[]) =>
      !defaultsCut && !this.isImageCut([own, ...below]) && [...cut].every((key) => keys.includes(key));
    const attributesKnown = isWhole(known);
    const given = {
      replicas: ownValue(this.given.replicas, name) ?? null,
      inputs: ownValue(this.given.inputs, name) ?? {},
    };
    const service = {
      name,
      level,
      own,
      cloud,
      image,
      layers,
      given,
      attributesKnown,
      replicasKnown: isWhole([...known, "attributes", "inputs", "outputs"]) && !cut.has("replicas"),
    };
    level.services.push(service);
    if (!this.services.has(name)) this.services.set(name, service);
  }

  /** Whether a service uses an image and a part of the images was removed: that part may belong to this service. */
  private isImageCut(layers: readonly Located[]): boolean {
    const name = layers.map((layer) => layer.get("image")?.text ?? null).find((text) => text !== null);
    const written = this.original.get("images")?.get(name ?? "") ?? null;
    return written !== null && this.checked.cut.some((path) => path[0] === "images");
  }

  private cloudOf(own: Located): string | null {
    if (own.get("host") !== null) return null;
    const named = own.get("cloud")?.text;
    if (named !== undefined && named !== null) return named;
    const defaults = this.root.get("defaults");
    if (defaults?.get("host")) return null;
    const [only, ...others] = this.clouds.keys();
    return defaults?.get("cloud")?.text ?? (only !== undefined && others.length === 0 ? only : IMPLICIT_CLOUD);
  }
}

function nulBytes(root: Located): Mistake[] {
  return root
    .strings()
    .filter(({ text }) => text?.includes("\0"))
    .map((place) => place.mistake("this text contains a NUL byte, which cannot be passed to a program"));
}

/** A service on a host starts no machine, so defaults for machines do not apply. */
function withoutMachine(defaults: Located | null): Located | null {
  return defaults === null ? null : only(defaults, (key) => !MACHINE_KEYS.includes(key));
}
