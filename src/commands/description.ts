/** Formats what a plan would start. */
import type { PlanDescription } from "../library/index.js";
import { formatTable } from "../display/table.js";
import { screen } from "./output.js";

/** Most services named in a line; the others are counted. */
const MOST_NAMED = 3;

/** The first names, and how many more there are. */
export function shortNames(names: readonly string[]): string {
  if (names.length <= MOST_NAMED + 1) return names.join(", ");
  return `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`;
}

export function formatDescription(plan: PlanDescription): string {
  const rows = plan.levels.flatMap((level, index) => {
    const title = `${index + 1} ${level.name}`;
    if (level.services.length === 0) return [[title, "(empty)"]];
    return level.services.map((service, place) => [
      place === 0 ? title : "",
      service.name,
      String(service.replicas),
      `${service.host === null ? `${service.cloud} (${service.driver})` : `on ${service.host}`}${service.image === null ? "" : `, image ${service.image}`}`,
      [...new Set(service.programs.map((program) => program.step))].join(", ") || "none",
    ]);
  });
  const table = formatTable(["LEVEL", "SERVICE", "REPLICAS", "CLOUD", "PROGRAMS"], rows, {
    ...screen(),
    align: ["left", "left", "right"],
  });
  const about = plan.description === "" ? "" : `: ${plan.description}`;
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  return (
    `Plan ${plan.plan}${about}\n\n${table}\n\n${count(plan.services, "service")} in ` +
    `${count(plan.levels.length, "level")}, ${count(plan.machines, "machine")} to start.`
  );
}
