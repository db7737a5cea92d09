/** The first write of a run: its compiled plan, its variables and its services, in one transaction. */
import { randomBytes } from "node:crypto";

import { replicaNames, replicaNumbers, type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { Cipher } from "./cipher.js";
import type { Db } from "./database.js";
import type { VariableRecord } from "../contract/records.js";
import type { NewRun } from "../contract/revisions.js";
import { variablePlace } from "./runReader.js";
import { RunExistsError } from "../contract/errors.js";

/**
 * Records a run at `now`, in state "booting", with every service "planned".
 * @throws RunExistsError if a run of that name exists and is not terminated.
 */
export function insertRun(
  db: Db,
  cipher: Cipher,
  { name, plan, bundles, variables }: NewRun,
  now: number,
): { id: number; uid: string; name: string } {
  return db
    .transaction(() => {
      const chosen = name ?? freeName(db, plan.name);
      if (isLive(db, chosen))
        throw new RunExistsError(
          `run "${chosen}" already exists`,
          `choose another --name, or terminate it: bootlevel terminate ${chosen}`,
        );
      const uid = shortId(12);
      const id = Number(
        db
          .prepare(
            "INSERT INTO runs (uid, name, plan_name, plan_file, state, created_at, updated_at) VALUES (?, ?, ?, ?, 'booting', ?, ?)",
          )
          .run(uid, chosen, plan.name, plan.file, now, now).lastInsertRowid,
      );
      insertPlan(db, id, 1, { plan, bundles }, now);
      insertVariables(db, cipher, id, uid, variables);
      insertServices(db, id, plan, now);
      return { id, uid, name: chosen };
    })
    .immediate();
}

/** Stores a revision of a run's plan. */
export function insertPlan(
  db: Db,
  runId: number,
  revision: number,
  { plan, bundles }: Pick<NewRun, "plan" | "bundles">,
  now: number,
): void {
  db.prepare("INSERT INTO plans (run_id, revision, plan, bundles, stored_at) VALUES (?, ?, ?, ?, ?)").run(
    runId,
    revision,
    JSON.stringify(plan),
    JSON.stringify(bundles),
    now,
  );
}

/** Replaces a run's variables. */
export function insertVariables(
  db: Db,
  cipher: Cipher,
  runId: number,
  uid: string,
  variables: readonly VariableRecord[],
): void {
  db.prepare("DELETE FROM variables WHERE run_id = ?").run(runId);
  const insert = db.prepare(
    "INSERT INTO variables (run_id, kind, name, secret, value, sealed) VALUES (?, ?, ?, ?, ?, ?)",
  );
  for (const { kind, name, secret, value } of variables) {
    // A value from the launcher's environment may be a secret that was not declared as one, so it is always encrypted.
    const sealed = secret || kind === "environment" ? cipher.seal(value, variablePlace(uid, kind, name)) : null;
    insert.run(runId, kind, name, secret ? 1 : 0, sealed ? null : value, sealed);
  }
}

function insertServices(db: Db, runId: number, plan: LaunchPlan, now: number): void {
  const insert = db.prepare(
    "INSERT INTO services (run_id, level, spec, name, replica, state, updated_at) VALUES (?, ?, ?, ?, ?, 'planned', ?)",
  );
  for (const { level, spec, name, replica } of replicasOf(plan)) insert.run(runId, level, spec, name, replica, now);
}

/**
 * All replicas of all services of a plan: the index of the level, the service's name, the replica's name and number.
 */
export function replicasOf(plan: LaunchPlan): { level: number; spec: string; name: string; replica: number }[] {
  return plan.levels.flatMap(({ services }, level) =>
    services.flatMap((service) => {
      const numbers = replicaNumbers(service);
      return replicaNames(service).map((name, index) => ({
        level,
        spec: service.name,
        name,
        replica: numbers[index] as number,
      }));
    }),
  );
}

function isLive(db: Db, name: string): boolean {
  return db.prepare("SELECT 1 FROM runs WHERE name = ? AND state <> 'terminated'").get(name) !== undefined;
}

function freeName(db: Db, plan: string): string {
  for (;;) {
    const name = `${plan}-${shortId(4)}`;
    if (!db.prepare("SELECT 1 FROM runs WHERE name = ?").get(name)) return name;
  }
}

/** Lower-case letters and digits that are easy to distinguish. */
function shortId(length: number): string {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's 32: no byte is favoured
  return Array.from(randomBytes(length), (byte) => alphabet[byte % 32]).join("");
}
