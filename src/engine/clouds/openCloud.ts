/** The driver of a plan's cloud, for work outside of a run. */
import type { Driver } from "../../drivers/contract/driver.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { AttributeRegistry } from "../attributes/attributes.js";
import { createDriver } from "./clouds.js";
import { guardDriver } from "./guardedDriver.js";

/**
 * Opens a cloud; the caller closes it. No run's lease guards its calls.
 * @throws DriverError if its driver cannot be loaded
 */
export async function openCloud(
  store: Store,
  plan: LaunchPlan,
  cloud: CloudSpec,
  variables: readonly VariableRecord[],
): Promise<Driver> {
  const book = new AttributeRegistry(plan, "", variables);
  const options = resolveTree(cloud.options, (reference) => book.lookup(reference, null));
  const driver = await createDriver(store, cloud, plan.dir, options, {
    warn: () => undefined,
    permit: async () => undefined,
    readOnly: true,
  });
  return guardDriver(driver, {
    cloud: cloud.name,
    clock: store.clock,
    prove: async () => undefined,
    probe: store.probe,
    random: store.random,
  });
}
