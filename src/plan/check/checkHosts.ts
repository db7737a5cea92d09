/** Checks the addresses that a plan writes out. References are resolved later, and checked then. */
import { keyOf, type Draft } from "../draft/draft.js";
import { checkWays, sshEntries } from "../draft/sshEntries.js";
import { hostProblem } from "../launchPlan/hostProblem.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";

export function checkHosts({ clouds, levels }: Draft): Mistake[] {
  const pools = [...clouds.values()]
    .filter((cloud) => cloud.get("driver")?.text === "existing")
    .flatMap((cloud) => cloud.get("hosts")?.items() ?? [])
    .flatMap((host) => check(typeof host.value === "string" ? host : host.get("host")));
  const services = levels
    .flatMap((level) => level.services)
    .flatMap((service) => [
      ...check(service.cloud === null ? keyOf(service, "host") : null, "under ssh: { user, port }"),
      ...checkWays(service),
      ...check(sshEntries(service).get("jump")?.get("host") ?? null),
    ]);
  return [...pools, ...services];
}

/** @param where the place for user and port, if not beside the host. */
function check(place: Located | null, where?: string): Mistake[] {
  const text = place?.text ?? "";
  const problem = text === "" || text.includes("${") ? null : hostProblem(text);
  if (place === null || problem === null) return [];
  return [place.mistake(where === undefined ? problem : problem.replace(/under its own key, \w+$/, where))];
}
