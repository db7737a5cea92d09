/**
 * What makes an image what it is, as hashes: equal for equal meaning, whichever plan, run or version of bootlevel it
 * is.
 */
import { createHash } from "node:crypto";

import { packagesOf } from "../../plan/compile/packages.js";
import type { CloudSpec, Reference, ServiceSpec, SetupSpec, Template } from "../../plan/launchPlan/launchPlan.js";
import { resolveTemplate, resolveTree, type ReferenceLookup } from "../../plan/references/resolve.js";
import type { BundleRecord, VariableRecord } from "../../state/contract/records.js";
import { setupBundleName } from "../programs/bundles.js";

/** The keys of a cloud that say where it is: an image of one region or account is none in another. */
const PLACE_KEYS = ["region", "endpoint", "profile"];

/**
 * Gives values to the references of recipes and of images' ids. A secret is the same whatever its value: a hash of it,
 * beside all else that is hashed with it, would let it be guessed.
 */
export function imageValues(variables: readonly VariableRecord[]): ReferenceLookup {
  const values = new Map(
    variables.map(({ kind, name, secret, value }) => [`${kind} ${name}`, secret ? "\0secret" : value]),
  );
  return (reference: Reference) =>
    "name" in reference ? (values.get(`${reference.kind} ${reference.name}`) ?? "") : "";
}

/**
 * The service's setup steps, each with the hash of what it and those before it make of a machine: after another
 * beginning, every later one is another.
 */
export function withContents(
  service: Pick<ServiceSpec, "name" | "setup">,
  bundles: Readonly<Record<string, BundleRecord>>,
  lookup: ReferenceLookup,
): SetupSpec[] {
  let before = "";
  return service.setup.map((setup) => {
    before = hash([before, parts(setup, bundles[setupBundleName(service.name, setup)], lookup)]);
    return { ...setup, content: before };
  });
}

function parts(setup: SetupSpec, bundle: BundleRecord | undefined, lookup: ReferenceLookup): unknown {
  if (setup.kind === "packages") return ["packages", ...packagesOf(setup)];
  const { run, args, env, sudo } = setup.program;
  const text = (template: Template) => resolveTemplate(template, lookup);
  return [
    run.kind === "command" ? text(run.line) : null,
    bundle?.sha256,
    bundle?.entry,
    args.map(text),
    Object.entries(env).map(([name, value]) => [name, text(value)]),
    sudo,
  ];
}

/** Hashes where a cloud is. */
export function placeOf({ driver, options }: CloudSpec, lookup: ReferenceLookup): string {
  const resolved = resolveTree(options, lookup);
  return hash([driver, ...PLACE_KEYS.map((key) => resolved[key] ?? null)]);
}

/**
 * Hashes an image.
 * @param base what a machine of the cloud is started from, "" where the driver takes nothing.
 * @param setup the last step of the image; undefined for one without any.
 */
export function definitionOf(
  cloud: CloudSpec,
  base: string,
  setup: SetupSpec | undefined,
  lookup: ReferenceLookup,
): string {
  return hash([cloud.name, placeOf(cloud, lookup), base, setup?.content ?? ""]);
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
