/** Groups requests that can share a call. */
import { isDeepStrictEqual } from "node:util";

import type { LaunchRequest } from "../contract/driver.js";

/** Groups of requests that differ only in their machine's identity. */
export function groupRequests(requests: readonly LaunchRequest[]): LaunchRequest[][] {
  const groups: LaunchRequest[][] = [];
  const shape = ({ image, size, fallbackSizes, launch, contact, died = [], mark: { run } }: LaunchRequest) => ({
    image,
    size,
    fallbackSizes,
    launch,
    contact,
    died,
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

/** A machine with `apart` gets its own call, and so its own host key for the first connection. */
function isApart({ launch: { apart } }: LaunchRequest): boolean {
  return apart === true || apart === "true";
}
