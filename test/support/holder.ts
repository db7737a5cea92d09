/**
 * A launcher in a process of its own that works on a run: it boots a plan, and tells how that ended. Called with the
 * home, the run's name and the plan as JSON; says so by IPC.
 */
import { bootRun } from "../../src/engine/operations/boot.js";
import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import { openStore } from "../../src/state/openStore.js";

/** How the boot ended, in words. */
export interface HolderEnd {
  readonly state: string;
  readonly warnings: readonly string[];
}

const [home = "", name = "", plan = ""] = process.argv.slice(2);
const warnings: string[] = [];
const store = await openStore(home);
const state = await bootRun(store, {
  plan: JSON.parse(plan) as LaunchPlan,
  variables: [],
  name,
  observe: (event) => {
    if (event.type === "warning") warnings.push(event.message);
  },
  signal: new AbortController().signal,
}).then(
  (result) => result.state,
  (error: unknown) => (error as Error).name,
);
await store.close();
process.send?.({ state, warnings } satisfies HolderEnd, () => process.exit(0));
