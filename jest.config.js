import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What suites cannot run on this computer, and why: the reporter prints it at the end. */
const skipped = [];

/** Suites that need what this computer does not have are left out. */
function suitesWithout(reason, isThere, ...support) {
  if (isThere) return [];
  const suites = readdirSync("test", { recursive: true }).filter(
    (file) =>
      file.endsWith(".test.ts") && support.some((name) => readFileSync(join("test", file), "utf8").includes(name)),
  );
  skipped.push({ reason, suites: suites.map((file) => `test/${file}`) });
  return suites.map((file) => join("<rootDir>/test", file.replaceAll(".", "\\.")));
}

/** A real sshd must be started by root, as the system does it. */
const hasSshd = existsSync("/usr/sbin/sshd") && process.getuid?.() === 0;
/** Machines with an /etc/ssh of their own, which this computer's must never be mistaken for. */
const hasNamespaces = hasSshd && spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
const hasMoto =
  spawnSync("python3", [
    "-c",
    "import importlib.util as u, sys; sys.exit(not (u.find_spec('moto') and u.find_spec('flask')))",
  ]).status === 0;

/** A lab makes networks and machines of the kernel's namespaces. */
const hasTools = ["ip", "unshare", "nsenter", "setpriv", "sudo"].every((tool) =>
  ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((folder) => existsSync(`${folder}/${tool}`)),
);
/** A terminal for a program is made by Python's standard library. */
const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;
const hasCloudInit = existsSync(
  `${process.env["BOOTLEVEL_CLOUD_INIT"] ?? "/var/tmp/bootlevel-cloud-init"}/usr/bin/cloud-init`,
);

// The workers inherit it; test/support/seed.ts makes the tests' random choices of it.
process.env.BOOTLEVEL_TEST_SEED ||= String(randomInt(1_000_000_000));

/** Real sshd hosts, real processes and real database files: suites run in parallel, each in directories of its own. */
export default {
  testEnvironment: "<rootDir>/test/support/jest/environment.js",
  testSequencer: "<rootDir>/test/support/jest/sequencer.js",
  reporters: ["default", ["<rootDir>/test/support/jest/reporter.js", { skipped }]],
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: [
    "/node_modules/",
    ...suitesWithout(
      "/usr/sbin/sshd or root is missing (apt-get install openssh-server)",
      hasSshd,
      "support/sshHost",
      "support/preparedMachine",
    ),
    ...(hasSshd
      ? suitesWithout(
          "mount namespaces are not allowed here (docker: --cap-add SYS_ADMIN)",
          hasNamespaces,
          "support/preparedMachine",
        )
      : []),
    ...suitesWithout("python3 is missing (apt-get install python3)", hasPython, "support/terminal"),
    ...suitesWithout("moto is missing (pip install 'moto[server]')", hasMoto, "support/moto"),
    ...suitesWithout(
      "a lab needs root, /usr/sbin/sshd, moto, ip, unshare, nsenter, setpriv and sudo",
      hasSshd && hasMoto && hasTools,
      "support/ec2Lab",
    ),
    ...suitesWithout(
      "Debian's cloud-init is missing (test/support/ec2Lab/fetch-cloud-init)",
      hasCloudInit,
      "ec2Lab/realCloudInit",
    ),
  ],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: { "^.+\\.ts$": "<rootDir>/test/esbuildTransform.js" },
  testTimeout: 60_000,
  // Many tests wait for processes, machines and clouds more than they work.
  maxWorkers: 4,
};
