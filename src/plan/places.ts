/** Names a place in a plan as its author would. */
import type { Path } from "./yamlData.js";

/** `service "db"`, `"replicas" of service "db"`, `item 2 of "args" of service "db"`, `the plan` (`top`). */
export function placeName(path: Path, top = "the plan"): string {
  const { owner, rest } = split(path);
  const named = owner ?? top;
  if (rest.length === 0) return named;
  const last = rest.at(-1);
  const subject = typeof last === "number" ? `item ${last + 1}${rest.length > 1 ? ` of "${rest.at(-2)}"` : ""}` : `"${last}"`;
  return owner === null ? subject : `${subject} of ${owner}`;
}


function split(path: Path): { owner: string | null; rest: Path } {
  const [first, second, third, fourth] = path;
  if (first === "services" && second !== undefined) return { owner: `service "${second}"`, rest: path.slice(2) };
  if (first === "levels" && third === "services" && fourth !== undefined) return { owner: `service "${fourth}"`, rest: path.slice(4) };
  if (first === "levels" && second !== undefined) return { owner: `level ${Number(second) + 1}`, rest: path.slice(2) };
  if (first === "clouds" && second !== undefined) return { owner: `cloud "${second}"`, rest: path.slice(2) };
  if (first === "variables" && second !== undefined) return { owner: `variable "${second}"`, rest: path.slice(2) };
  if (first === "defaults" && second !== undefined) return { owner: "the plan's defaults", rest: path.slice(1) };
  return { owner: null, rest: path };
}
