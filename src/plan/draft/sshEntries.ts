/** The effective `ssh:` keys of a service. */
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import type { DraftService } from "./draft.js";

/** Each says how the machine is reached, so the nearest one of them counts. */
const WAYS: readonly string[] = ["jump", "proxy_command"];

/** Merged key by key: the service's own keys first, then those of its images and of the defaults. */
export function sshEntries(service: DraftService): Map<string, Located> {
  const merged = new Map<string, Located>();
  for (const layer of service.layers) {
    const isReached = WAYS.some((way) => merged.has(way));
    for (const [name, value] of layer.get("ssh")?.entries() ?? [])
      if (!merged.has(name) && !(isReached && WAYS.includes(name))) merged.set(name, value);
  }
  return merged;
}

/** A place that names two ways to reach a machine. */
export function checkWays(service: DraftService): Mistake[] {
  return service.layers.flatMap((layer) => {
    const ssh = layer.get("ssh");
    const proxy = ssh?.get("proxy_command");
    if (!proxy || !ssh?.get("jump")) return [];
    return [proxy.mistake('cannot be used together with "jump": a machine is reached by one of them; remove one')];
  });
}
