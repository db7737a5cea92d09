/** Ends a test run with what it left out and how to run that, and with the seed of its random choices. */
import { relative } from "node:path";

import { selection, slowSuites } from "./selection.js";

export default class LastLines {
  /** @param options `skipped`: reasons why suites cannot run on this computer, each with the paths of the suites. */
  constructor(globalConfig, { skipped }) {
    this.selection = selection(globalConfig);
    this.rootDir = globalConfig.rootDir;
    this.skipped = skipped;
  }

  onRunComplete(_contexts, { testResults }) {
    const failed = testResults.filter(
      ({ numFailingTests, testExecError }) => numFailingTests > 0 || testExecError !== undefined,
    );
    const seed = process.env.BOOTLEVEL_TEST_SEED;
    const lines = [""];
    for (const { reason, suites } of this.skipped)
      lines.push(`SKIPPED, since ${reason}:`, ...suites.map((suite) => `  ${suite}`));
    lines.push(`Random choices come from seed ${seed}.`);
    for (const { testFilePath } of failed)
      lines.push(`Repeat a failure: BOOTLEVEL_TEST_SEED=${seed} npm test -- ${relative(this.rootDir, testFilePath)}`);
    if (this.selection === "quick") {
      const slow = slowSuites();
      lines.push(
        `LEFT OUT: ${slow.length} slow suites (*.slow.test.ts).`,
        `  all of them too: npm run test:all`,
        `  one of them:     npm test -- ${slow[0]}`,
      );
    }
    // Jest's own summary comes after its reporters.
    process.once("exit", () => {
      process.stderr.write(`${lines.join("\n")}\n`);
    });
  }
}
