/** A private directory for one test, with blanks and non-ASCII letters in its path, since operators have those too. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "@jest/globals";

const made: string[] = [];

/** Removed after the test that made it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel tést "));
  made.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});
