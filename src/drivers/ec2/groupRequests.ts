/** Which requests one call can ask for. */
import { isDeepStrictEqual } from "node:util";

import type { LaunchRequest } from "../contract/driver.js";

/** Groups of requests that are the same in all but whose they are. */
export function groupRequests(requests: readonly LaunchRequest[]): LaunchRequest[][] {
  const groups: LaunchRequest[][] = [];
  const shape = ({ image, size, fallbackSizes, launch, contact, mark: { run } }: LaunchRequest) => ({
    image,
    size,
    fallbackSizes,
    launch,
    contact,
    run,
  });
  const byText = new Map<string, LaunchRequest[][]>();
  for (const request of requests) {
    const text = JSON.stringify([request.image, request.size]);
    const candidates = byText.get(text) ?? [];
    byText.set(text, candidates);
    const group = isApart(request)
      ? undefined
      : candidates.find(([first]) => isDeepStrictEqual(shape(first as LaunchRequest), shape(request)));
    if (group !== undefined) group.push(request);
    else {
      const fresh = [request];
      candidates.push(fresh);
      groups.push(fresh);
    }
  }
  return groups;
}

/** A machine of which the plan says so gets a call, and with it a host key for the first contact, of its own. */
function isApart({ launch: { apart } }: LaunchRequest): boolean {
  return apart === true || apart === "true";
}
