import { bootRun } from "../../src/engine/operations/boot.js";
import { loadPlan } from "../../src/library/plans.js";
import { openStore } from "../../src/state/openStore.js";

/**
 * Boots a plan without variables.
 * @param path the plan's file
 * @param home the directory of the record
 * @throws if the run does not become ready
 */
export async function bootOnce(path: string, home: string): Promise<void> {
  const plan = await loadPlan(path);
  const store = await openStore(home);
  const result = await bootRun(store, {
    plan,
    variables: [],
    name: "bench",
    observe: () => undefined,
    signal: new AbortController().signal,
  });
  await store.close();
  if (result.state !== "ready") throw new Error(`the run is ${result.state}: ${JSON.stringify(result.failures[0])}`);
}
