/** Names a place in a plan in the terms of its author. */
import type { Path } from "./yamlData.js";

/** `service "db"`, `"replicas" of service "db"`, `item 2 of "args" of "boot" of service "db"`, `the plan` (`top`). */
export function placeName(path: Path, top = "the plan"): string {
  const { owner, rest } = split(path);
  const named = owner ?? top;
  if (rest.length === 0) return named;
  const steps = rest.map((step) => (typeof step === "number" ? `item ${step + 1}` : `"${step}"`)).reverse();
  return [...steps, ...(owner === null ? [] : [owner])].join(" of ");
}

function split(path: Path): { owner: string | null; rest: Path } {
  const [first, second, third, fourth] = path;
  if (first === "services" && second !== undefined) return { owner: `service "${second}"`, rest: path.slice(2) };
  if (first === "levels" && third === "services" && fourth !== undefined)
    return { owner: `service "${fourth}"`, rest: path.slice(4) };
  if (first === "levels" && second !== undefined) return { owner: `level ${Number(second) + 1}`, rest: path.slice(2) };
  if (first === "clouds" && second !== undefined) return { owner: `cloud "${second}"`, rest: path.slice(2) };
  if (first === "images" && second !== undefined) return { owner: `image "${second}"`, rest: path.slice(2) };
  if (first === "variables" && second !== undefined) return { owner: `variable "${second}"`, rest: path.slice(2) };
  if (first === "defaults" && second !== undefined) return { owner: "the plan's defaults", rest: path.slice(1) };
  return { owner: null, rest: path };
}
