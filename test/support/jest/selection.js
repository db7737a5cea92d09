/**
 * Which suites a test run takes. A suite that takes more than about 15 seconds is named `*.slow.test.ts`: `npm test`
 * leaves it out, `npm run test:all` and a run that names suites by their path do not.
 */
import { readdirSync } from "node:fs";

export const isSlow = (path) => path.endsWith(".slow.test.ts");

/** All slow suites, as paths from the project's root. */
export const slowSuites = () =>
  readdirSync("test", { recursive: true })
    .filter(isSlow)
    .map((path) => `test/${path}`)
    .sort();

/**
 * @returns `quick`, `slow` or `all`. The scripts of package.json choose by BOOTLEVEL_TESTS; paths on the command line
 *   always win.
 */
export function selection({ testPathPatterns }) {
  if (testPathPatterns.isSet()) return "all";
  const chosen = process.env.BOOTLEVEL_TESTS ?? "quick";
  if (!["quick", "slow", "all"].includes(chosen))
    throw new Error(`BOOTLEVEL_TESTS is ${chosen}: quick, slow or all is known`);
  return chosen;
}
