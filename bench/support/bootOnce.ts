import { bootRun } from "../../src/engine/operations/boot.js";
import { loadPlan } from "../../src/library/plans.js";
import { openStore } from "../../src/state/openStore.js";

/** Boots a plan without variables. @param path the plan's file @param home where the run is recorded @throws if it is not ready */
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
