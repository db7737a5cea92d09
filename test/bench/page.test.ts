/** docs/performance.md says what docs/performance.json has. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

test("the page of figures is written from the measured ones", () => {
  const program = fileURLToPath(new URL("../../bench/page.mjs", import.meta.url));
  expect(() => execFileSync(process.execPath, [program, "--check"], { stdio: "pipe" })).not.toThrow();
});
