/**
 * Moves a run to a changed plan: stores the plan, its variables and the new state of each service, in one transaction.
 */
import { applyChange, type ChangeContext } from "./changes.js";
import { insertPlan, insertVariables } from "./newRun.js";
import type { NewRevision } from "../contract/revisions.js";

/** Stores a revision. The caller has opened the transaction and verified the lease. */
export function insertRevision(
  context: ChangeContext,
  { revision, plan, bundles, variables, services, dropped }: NewRevision,
): void {
  const { db, cipher, run, now } = context;
  insertPlan(db, run.id, revision, { plan, bundles }, now);
  insertVariables(db, cipher, run.id, run.uid, variables);
  db.prepare("UPDATE runs SET plan_name = ?, plan_file = ?, state = 'reloading', updated_at = ? WHERE id = ?").run(
    plan.name,
    plan.file,
    now,
    run.id,
  );
  for (const id of dropped)
    applyChange(context, { kind: "due", id, due: { stage: "remove", reason: "removed from the plan" } });
  // Services may swap names, so all of them give up their names before any takes a new one.
  const kept = services.flatMap(({ id }) => (id === null ? [] : [id]));
  const giveUp = db.prepare("UPDATE services SET name = '~' || id WHERE id = ? AND removed = 0");
  for (const id of kept) giveUp.run(id);
  releaseNames(context, new Set(services.map(({ name }) => name)));
  const update = db.prepare(
    "UPDATE services SET level = ?, spec = ?, name = ?, replica = ?, revision = coalesce(?, revision), removed = 0 WHERE id = ?",
  );
  const insert = db.prepare(
    "INSERT INTO services (run_id, level, spec, name, replica, state, revision, updated_at) VALUES (?, ?, ?, ?, ?, 'planned', ?, ?)",
  );
  for (const { id, level, spec, name, replica, due } of services) {
    if (id === null) insert.run(run.id, level, spec, name, replica, revision, now);
    else {
      // A machine that will be replaced is taken down as described by the plan that started it.
      const replaced = due?.stage === "replace" || due?.stage === "discard";
      update.run(level, spec, name, replica, replaced ? null : revision, id);
      applyChange(context, { kind: "due", id, due });
    }
  }
}

/**
 * Renames dropped services, of this revision or an earlier one, if a new service needs their name. Their history keeps
 * the name.
 */
function releaseNames({ db, run }: ChangeContext, wanted: ReadonlySet<string>): void {
  const rows = db
    .prepare<[number], { id: number; name: string }>(
      "SELECT id, name FROM services WHERE run_id = ? AND (removed = 1 OR due = 'remove')",
    )
    .all(run.id);
  const rename = db.prepare("UPDATE services SET name = ? WHERE id = ?");
  for (const { id, name } of rows) if (wanted.has(name)) rename.run(`${name}~${id}`, id);
}
