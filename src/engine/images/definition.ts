/** Hashes an image's definition. Equal definitions have equal hashes across plans, runs and versions of bootlevel. */
import { createHash } from "node:crypto";

import { packagesOf } from "../../plan/compile/packages.js";
import type { CloudSpec, Reference, ServiceSpec, SetupSpec, Template } from "../../plan/launchPlan/launchPlan.js";
import { resolveTemplate, resolveTree, type ReferenceLookup } from "../../plan/references/resolve.js";
import type { BundleRecord, VariableRecord } from "../../state/contract/records.js";
import { setupBundleName } from "../programs/bundles.js";

/** The cloud keys that determine its location: an image exists in one region and account only. */
const PLACE_KEYS = ["region", "endpoint", "profile"];

/**
 * Resolves the references of recipes and image ids. All secrets have the same value here: a hash of a real one could be
 * brute-forced, since everything else in it is known.
 */
export function imageValues(variables: readonly VariableRecord[]): ReferenceLookup {
  const values = new Map(
    variables.map(({ kind, name, secret, value }) => [`${kind} ${name}`, secret ? "\0secret" : value]),
  );
  return (reference: Reference) =>
    "name" in reference ? (values.get(`${reference.kind} ${reference.name}`) ?? "") : "";
}

/** The service's setup steps, each with a hash of itself and all steps before it. */
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

/** Hashes a cloud's location. */
export function placeOf({ driver, options }: CloudSpec, lookup: ReferenceLookup): string {
  const resolved = resolveTree(options, lookup);
  return hash([driver, ...PLACE_KEYS.map((key) => resolved[key] ?? null)]);
}

/**
 * Hashes an image.
 * @param base the base image, or "" if the driver needs none
 * @param setup the image's last step; undefined without steps
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
