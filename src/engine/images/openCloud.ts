/** The driver of a plan's cloud, for what is done at it outside of a run. */
import type { Driver } from "../../drivers/driver.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan.js";
import { resolveTree } from "../../plan/resolve.js";
import type { VariableRecord } from "../../state/records.js";
import type { Store } from "../../state/store.js";
import { AttributeBook } from "../run/attributes.js";
import { createDriver } from "../run/clouds.js";
import { guardDriver } from "../run/guardedDriver.js";

/**
 * Opens a cloud; the caller closes it. No run's lease guards its calls. @throws DriverError if its driver cannot be
 * loaded
 */
export async function openCloud(
  store: Store,
  plan: LaunchPlan,
  cloud: CloudSpec,
  variables: readonly VariableRecord[],
): Promise<Driver> {
  const book = new AttributeBook(plan, "", variables);
  const options = resolveTree(cloud.options, (reference) => book.lookup(reference, null));
  const driver = await createDriver(store, cloud, plan.dir, options, {
    warn: () => undefined,
    permit: () => undefined,
    readOnly: true,
  });
  return guardDriver(driver, {
    cloud: cloud.name,
    clock: store.clock,
    prove: () => undefined,
    probe: store.probe,
    random: store.random,
  });
}
