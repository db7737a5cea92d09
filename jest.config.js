import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Suites that need a real sshd (and root, to start it as the system does) are left out where there is none, and it is said. */
function suitesWithoutSshd() {
  if (existsSync("/usr/sbin/sshd") && process.getuid?.() === 0) return [];
  const suites = readdirSync("test", { recursive: true })
    .filter((file) => file.endsWith(".test.ts") && readFileSync(join("test", file), "utf8").includes("support/sshHost"));
  console.log(`SKIPPED, since /usr/sbin/sshd or root is missing (apt-get install openssh-server):\n${suites.map((file) => `  test/${file}`).join("\n")}`);
  return suites.map((file) => join("<rootDir>/test", file.replaceAll(".", "\\.")));
}

/** Real sshd hosts, real processes and real database files: suites run in parallel, each in directories of its own. */
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", ...suitesWithoutSshd()],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: { "^.+\\.ts$": "<rootDir>/test/esbuildTransform.js" },
  testTimeout: 60_000,
  maxWorkers: 2,
};
