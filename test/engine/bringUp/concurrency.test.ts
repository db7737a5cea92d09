/** However many services there are, no more programs run at once than the run may have. */
import { expect, test } from "@jest/globals";

import { SimRun } from "../../support/simRun.js";

const SERVICES = 17;

test.each([1, 2, 5, 16, 17, 100])(
  "%i programs at once, never more, and never fewer while some wait",
  async (concurrency) => {
    const run = await SimRun.open();
    const { state, ms } = await run.boot(
      "programs: { boot: { duration: 10s }, ready: { duration: 0s } }",
      `concurrency: ${concurrency}\nlevels:\n  - services: { a: { replicas: ${SERVICES}, boot: { command: x } } }\n`,
    );
    expect(state).toBe("ready");
    // Programs of ten seconds each in full rows: one more at once, or one place left empty, would show.
    expect(ms).toBe(Math.ceil(SERVICES / concurrency) * 10_000);
  },
);
