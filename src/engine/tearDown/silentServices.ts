/** Finds the services of a level that others should not wait for. */
import type { Clock } from "../../time/clock.js";
import type { Service } from "../run/service.js";
import type { Stopping } from "./stopServices.js";

/** After this many milliseconds without an answer from a machine, others are destroyed without waiting for it. */
const SILENT_MS = 3_000;

/** Resolves with the services whose machines have not answered after a while; at once if all have. */
export async function silentServices(clock: Clock, stopping: readonly Stopping[]): Promise<Set<Service>> {
  const over = new AbortController();
  const late = clock.sleep(SILENT_MS, over.signal).then(
    () => true,
    () => false,
  );
  const silent = new Set<Service>();
  await Promise.all(
    stopping.map(async ({ service, isReached }) => {
      if (await Promise.race([isReached.then(() => false), late])) silent.add(service);
    }),
  );
  over.abort();
  return silent;
}
