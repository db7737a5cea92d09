/**
 * The steps that build a service's image: packages and recipes of all its images, beginning with the outermost base.
 */
import { IMPLICIT_CLOUD, keyOf, type Draft, type DraftService } from "../draft/draft.js";
import type { ProgramSpec, SetupSpec } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import { packagesProgram } from "./packages.js";
import { templateReferences } from "../references/references.js";
import { splitReplica } from "../launchPlan/replicas.js";

/**
 * @param compileProgram compiles a program of the service as written.
 * @param timeoutMs the timeout of the service's programs.
 */
export function compileSetup(
  draft: Draft,
  service: DraftService,
  compileProgram: (program: Located) => ProgramSpec,
  timeoutMs: number,
): SetupSpec[] {
  const mode = isOwnComputer(draft, service) ? "check" : "install";
  return [...(service.image?.chain ?? [])].reverse().flatMap(({ name, own }): SetupSpec[] => {
    const packages = (own.get("packages")?.items() ?? []).flatMap(({ text }) => text ?? []);
    const recipe = own.get("recipe");
    return [
      ...(packages.length === 0
        ? []
        : [{ image: name, kind: "packages" as const, program: packagesProgram(packages, mode, timeoutMs) }]),
      ...(recipe === null ? [] : [{ image: name, kind: "recipe" as const, program: compileProgram(recipe) }]),
    ];
  });
}

/**
 * Whether a service's machine is the operator's computer: in a cloud of local processes, or on such a service's
 * machine.
 */
function isOwnComputer(draft: Draft, service: DraftService): boolean {
  if (service.cloud !== null)
    return (
      (draft.clouds.get(service.cloud)?.get("driver")?.text ?? (service.cloud === IMPLICIT_CLOUD ? "local" : "")) ===
      "local"
    );
  return templateReferences(keyOf(service, "host")?.text ?? "").some((reference) => {
    const owner =
      reference.kind === "service" ? draft.services.get(splitReplica(reference, draft.services).service) : undefined;
    return owner !== undefined && owner.level.index < service.level.index && isOwnComputer(draft, owner);
  });
}
