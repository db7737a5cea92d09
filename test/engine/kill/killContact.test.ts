/**
 * A launcher that is killed at any point of a first contact: the next one goes on, on the same machine, and trusts no
 * key longer than it must.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { contactHead, contactMachines, contactRequests } from "../../support/contactCloudModule.js";
import { Launcher } from "../../support/launchers.js";
import type { Command } from "../../support/launcher.js";
import { hostKeysOf, stopMachine } from "../../support/preparedMachine.js";
import { loadPlan } from "../../../src/library/plans.js";

const directories: string[] = [];
const launchers: Launcher[] = [];
afterEach(async () => {
  for (const launcher of launchers.splice(0)) await launcher.stop();
  for (const directory of directories.splice(0)) {
    for (const machine of contactMachines(join(directory, "home"))) await stopMachine(machine);
    rmSync(directory, { recursive: true, force: true });
  }
});

interface Scene {
  readonly home: string;
  readonly facts: string;
  readonly boot: Command;
  readonly carryOut: (command: Command, point: string | null) => Promise<string>;
  /** A column of the database. */
  readonly query: (sql: string) => string[];
}

async function scene(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "bl-kill-contact-"));
  directories.push(directory);
  const [home, facts, operator] = ["home", "facts", "operator"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [home, facts, operator]) mkdirSync(folder);
  const { head } = await contactHead();
  const file = join(directory, "plan.yaml");
  writeFileSync(
    file,
    `plan: kill\n${head}levels:\n  - name: one\n    services:\n      a: { boot: { command: "echo ran >> '${facts}/ran'" } }\n`,
  );
  const launcher = new Launcher({ HOME: operator });
  launchers.push(launcher);
  return {
    home,
    facts,
    boot: { verb: "boot", plan: await loadPlan(file) },
    async carryOut(command, point) {
      const outcome = await launcher.carryOut({ home, run: "kill", command, death: point === null ? null : { point } });
      return outcome.kind === "killed"
        ? "killed"
        : `${outcome.report.state} ${outcome.report.problems.join("; ")}`.trim();
    },
    query(sql) {
      const db = new Database(join(home, "bootlevel.db"), { readonly: true });
      try {
        return db.prepare(sql).pluck().all() as string[];
      } finally {
        db.close();
      }
    },
  };
}

const POINTS = [
  "before write run-key",
  "after write run-key",
  "before write authorized",
  "after write authorized",
  "before c launch",
  "after c launch",
  "before write host-key",
  "after write host-key",
  "before write contact",
  "after write contact",
];

test.each(POINTS)("killed %s", async (point) => {
  const { home, facts, boot, carryOut, query } = await scene();
  expect(await carryOut(boot, point)).toBe("killed");
  expect(await carryOut({ verb: "resume" }, null)).toBe("ready");
  expect(readFileSync(join(facts, "ran"), "utf8")).toBe("ran\n");
  const machines = contactMachines(home);
  expect(machines).toHaveLength(1);
  // The machine's own key is what is pinned, nothing else was ever pinned, and the key that it was given counts no
  // more.
  expect(query("SELECT key FROM host_keys")).toEqual(hostKeysOf(machines[0] ?? ""));
  expect(query("SELECT stage FROM contacts ORDER BY stage")).toEqual(["prepared", "trusted"]);
  // Whoever asks again asks for the same.
  expect(new Set(contactRequests(home).map((request) => JSON.stringify(request))).size).toBe(1);
  expect(await carryOut({ verb: "terminate" }, null)).toBe("terminated");
});

test("killed again and again, at each point of the contact in turn", async () => {
  const { home, boot, carryOut, query } = await scene();
  expect(await carryOut(boot, "before write host-key")).toBe("killed");
  for (const point of ["before write host-key", "after write host-key", "before write contact", "after write contact"])
    expect(await carryOut({ verb: "resume" }, point)).toBe("killed");
  expect(query("SELECT stage FROM contacts")).toEqual(["trusted"]);
  expect(await carryOut({ verb: "resume" }, null)).toBe("ready");
  expect(query("SELECT key FROM host_keys")).toEqual(hostKeysOf(contactMachines(home)[0] ?? ""));
  expect(await carryOut({ verb: "terminate" }, null)).toBe("terminated");
});
