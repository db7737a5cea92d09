/** All queries of the database. Reads never wait for a lease. */
import type { RunState, ServiceFailure, ServiceState, StepName } from "../../model/events.js";
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { Cipher } from "./cipher.js";
import type { Db } from "./database.js";
import { leaseHolder } from "./leases.js";
import { readAbort } from "./requests.js";
import { textOfBytes } from "../../text/surrogateEscape.js";
import type {
  AttributeRecord,
  DueStage,
  EventRecord,
  OutageRecord,
  MachineRecord,
  PlanRecord,
  RunRecord,
  RunSummary,
  ServiceRecord,
  StepRecord,
  VariableRecord,
} from "../contract/records.js";
import type { AnsweredRequest } from "../contract/changes.js";
import { StateError, UnknownRunError, isStateError } from "../contract/errors.js";
import type { LiveMachines, SecretReading } from "../contract/store.js";

interface RunRow {
  id: number;
  uid: string;
  name: string;
  plan_name: string;
  plan_file: string;
  state: string;
  goal: string;
  created_at: number;
  updated_at: number;
}
interface SealedRow {
  value: string | null;
  sealed: Buffer | null;
  secret: number;
}

const RUN_COLUMNS = "id, uid, name, plan_name, plan_file, state, goal, created_at, updated_at";

export function listRuns(db: Db, options: { all: boolean }): RunSummary[] {
  const rows = db
    .prepare<[], RunRow & { services: number; ready: number }>(
      `SELECT ${RUN_COLUMNS},
         (SELECT count(*) FROM services WHERE run_id = runs.id AND removed = 0) AS services,
         (SELECT count(*) FROM services WHERE run_id = runs.id AND removed = 0 AND state = 'ready') AS ready
       FROM runs ${options.all ? "" : "WHERE state <> 'terminated'"} ORDER BY id`,
    )
    .all();
  return rows.map((row) => ({ ...toRun(db, row), services: row.services, ready: row.ready }));
}

/**
 * The run with that name (the newest, if the name was reused) or number.
 * @throws UnknownRunError
 */
export function findRun(db: Db, nameOrNumber: string): RunRecord {
  const byName = db
    .prepare<[string], RunRow>(`SELECT ${RUN_COLUMNS} FROM runs WHERE name = ? ORDER BY id DESC LIMIT 1`)
    .get(nameOrNumber);
  const row =
    byName ??
    (/^\d+$/.test(nameOrNumber)
      ? db.prepare<[number], RunRow>(`SELECT ${RUN_COLUMNS} FROM runs WHERE id = ?`).get(Number(nameOrNumber))
      : undefined);
  if (row) return toRun(db, row);
  throw new UnknownRunError(`there is no run "${nameOrNumber}"`, "bootlevel list --all shows all runs");
}

export function runNames(db: Db): string[] {
  return db
    .prepare<[], { name: string }>("SELECT DISTINCT name FROM runs ORDER BY name")
    .all()
    .map((row) => row.name);
}

/** The plan that the run follows (its newest revision), or the given revision. */
export function readPlan(db: Db, runId: number, revision: number | null): PlanRecord {
  interface Row {
    revision: number;
    plan: string;
    bundles: string;
  }
  const columns = "SELECT revision, plan, bundles FROM plans WHERE run_id = ?";
  const row =
    revision === null
      ? db.prepare<[number], Row>(`${columns} ORDER BY revision DESC LIMIT 1`).get(runId)
      : db.prepare<[number, number], Row>(`${columns} AND revision = ?`).get(runId, revision);
  if (row === undefined)
    throw new StateError(
      `run number ${runId} has no plan revision${revision === null ? "" : ` ${revision}`}`,
      "the state database is damaged: restore it from a copy",
    );
  return {
    revision: row.revision,
    plan: JSON.parse(row.plan) as LaunchPlan,
    bundles: JSON.parse(row.bundles) as PlanRecord["bundles"],
  };
}

export function readVariables(
  db: Db,
  cipher: Cipher,
  run: Pick<RunRecord, "id" | "uid">,
  secrets: SecretReading,
): VariableRecord[] {
  const rows = db
    .prepare<[number], SealedRow & { kind: VariableRecord["kind"]; name: string; is_default: number }>(
      "SELECT * FROM variables WHERE run_id = ? ORDER BY kind, name",
    )
    .all(run.id);
  return rows.map((row) => ({
    kind: row.kind,
    name: row.name,
    secret: row.secret === 1,
    value: unseal(row, cipher, variablePlace(run.uid, row.kind, row.name), secrets),
    ...(row.is_default === 1 && { isDefault: true }),
  }));
}

/** The services of a run, including those that a changed plan dropped and whose machines still exist. */
export function readServices(db: Db, runId: number): ServiceRecord[] {
  interface Row {
    id: number;
    level: number;
    spec: string;
    name: string;
    replica: number;
    state: string;
    failure: string | null;
    revision: number;
    due: string | null;
    due_reason: string | null;
    booted: number;
    said: string | null;
    updated_at: number;
  }
  const rows = db
    .prepare<[number], Row>("SELECT * FROM services WHERE run_id = ? AND removed = 0 ORDER BY level, id")
    .all(runId);
  return rows.map((row) => ({
    id: row.id,
    level: row.level,
    spec: row.spec,
    name: row.name,
    replica: row.replica,
    state: row.state as ServiceState,
    failure: row.failure === null ? null : (JSON.parse(row.failure) as ServiceFailure),
    revision: row.revision,
    due: row.due === null ? null : { stage: row.due as DueStage, reason: row.due_reason ?? "" },
    booted: row.booted === 1,
    said: row.said,
    updatedAt: row.updated_at,
  }));
}

/** The highest replica number that each service ever had, removed replicas included. */
export function readReplicasEver(db: Db, runId: number): Map<string, number> {
  const rows = db
    .prepare<[number], { spec: string; highest: number }>(
      "SELECT spec, max(replica) AS highest FROM services WHERE run_id = ? GROUP BY spec",
    )
    .all(runId);
  return new Map(rows.map(({ spec, highest }) => [spec, highest]));
}

/** Names of the services that are in no plan any more and whose machines are gone, for the history. */
export function readRemovedNames(db: Db, runId: number): Map<number, string> {
  const rows = db
    .prepare<[number], { id: number; name: string }>("SELECT id, name FROM services WHERE run_id = ? AND removed = 1")
    .all(runId);
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** All machines ever requested for the run, oldest first. */
export function readMachines(db: Db, runId: number): MachineRecord[] {
  interface Row {
    id: number;
    service_id: number;
    cloud: string;
    key: string;
    generation: number;
    state: MachineRecord["state"];
    driver_id: string | null;
    host: string | null;
    private_host: string | null;
    hostname: string | null;
    access: string | null;
    requested_at: number;
    launched_at: number | null;
    met_at: number | null;
    ended_at: number | null;
    end_reason: string | null;
  }
  const rows = db.prepare<[number], Row>("SELECT * FROM machines WHERE run_id = ? ORDER BY id").all(runId);
  return rows.map((row) => ({
    id: row.id,
    serviceId: row.service_id,
    cloud: row.cloud,
    key: row.key,
    generation: row.generation,
    state: row.state,
    driverId: row.driver_id,
    host: row.host,
    privateHost: row.private_host,
    hostname: row.hostname,
    access: row.access,
    requestedAt: row.requested_at,
    launchedAt: row.launched_at,
    metAt: row.met_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  }));
}

export function readLiveMachines(db: Db): LiveMachines {
  const rows = db
    .prepare<[], { key: string; driver_id: string | null }>(
      "SELECT m.key, m.driver_id FROM runs r JOIN machines m ON m.run_id = r.id WHERE r.state <> 'terminated' AND m.state <> 'ended'",
    )
    .all();
  return {
    keys: new Map(rows.map(({ key, driver_id: id }) => [key, id])),
    ids: new Set(rows.flatMap(({ driver_id: id }) => (id === null ? [] : [id]))),
  };
}

export function readAttributes(
  db: Db,
  cipher: Cipher,
  run: Pick<RunRecord, "id" | "uid">,
  secrets: SecretReading,
  builtIns: boolean,
): AttributeRecord[] {
  const rows = db
    .prepare<
      [number],
      SealedRow & {
        service_id: number;
        name: string;
        kind: AttributeRecord["kind"];
        stale: number;
        step: StepName | null;
        encoding: string | null;
      }
    >(
      `SELECT a.* FROM attributes a JOIN services s ON s.id = a.service_id
       WHERE s.run_id = ? ${builtIns ? "" : "AND (a.kind <> 'builtin' OR a.name = 'host')"} ORDER BY s.id, a.kind, a.name`,
    )
    .all(run.id);
  return rows.map((row) => ({
    serviceId: row.service_id,
    name: row.name,
    kind: row.kind,
    secret: row.secret === 1,
    value: decoded(unseal(row, cipher, attributePlace(run.uid, row.service_id, row.name), secrets), row.encoding),
    stale: row.stale === 1,
    step: row.step,
  }));
}

function decoded(text: string, encoding: string | null): string {
  return encoding === "base64" ? textOfBytes(Buffer.from(text, "base64")) : text;
}

/** The steps of a run, or of one service if its number is given. Oldest first. */
export function readSteps(db: Db, runId: number, serviceId: number | null = null): StepRecord[] {
  interface Row {
    id: number;
    service_id: number;
    step: string;
    attempt: number;
    machine_key: string | null;
    directory: string | null;
    content: string | null;
    started_at: number;
    ended_at: number | null;
    outcome: string | null;
    exit_code: number | null;
  }
  const rows = db
    .prepare<[number, number | null, number | null], Row>(
      "SELECT t.* FROM steps t JOIN services s ON s.id = t.service_id WHERE s.run_id = ? AND (? IS NULL OR t.service_id = ?) ORDER BY t.id",
    )
    .all(runId, serviceId, serviceId);
  return rows.map((row) => ({
    id: row.id,
    serviceId: row.service_id,
    step: row.step as StepName,
    attempt: row.attempt,
    machineKey: row.machine_key,
    directory: row.directory,
    content: row.content,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    outcome: row.outcome,
    exitCode: row.exit_code,
  }));
}

/** Hashes of the setup steps that ran on a machine for a service (`StepRecord.content`). */
export function readSetups(db: Db, serviceId: number, machineKey: string | null): Set<string> {
  const rows = db
    .prepare<[number, string | null], { content: string }>(
      "SELECT content FROM steps WHERE service_id = ? AND machine_key IS ? AND step = 'setup' AND exit_code = 0 AND content IS NOT NULL",
    )
    .all(serviceId, machineKey);
  return new Set(rows.map(({ content }) => content));
}

/** The run's events with a number above `after`, oldest first. */
export function readEvents(db: Db, runId: number, after = 0): EventRecord[] {
  interface Row {
    id: number;
    at: number;
    type: string;
    service: string | null;
    data: string;
  }
  const rows = db
    .prepare<[number, number], Row>(
      "SELECT id, at, type, service, data FROM events WHERE run_id = ? AND id > ? ORDER BY id",
    )
    .all(runId, after);
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) as Record<string, unknown> }));
}

/** Whether a request of a program is recorded as handled. */
export function wasAnswered(db: Db, runId: number, { program, request }: AnsweredRequest): boolean {
  const row = db
    .prepare("SELECT 1 FROM answered_requests WHERE run_id = ? AND program = ? AND request = ?")
    .get(runId, program, request);
  return row !== undefined;
}

/** Connections that the run's present command has lost and not restored, by the services that they affect. */
export function readOutages(db: Db, runId: number): Map<string, OutageRecord> {
  const rows = db
    .prepare<[number], { at: number; type: string; data: string }>(
      "SELECT at, type, data FROM events WHERE run_id = ? AND type IN ('run-started', 'connection-lost', 'connection-restored') ORDER BY id",
    )
    .all(runId);
  const outages = new Map<string, OutageRecord>();
  for (const { at, type, data } of rows) {
    if (type === "run-started") {
      outages.clear();
      continue;
    }
    const event = JSON.parse(data) as { machine: string; services: string[]; reason: string };
    for (const service of event.services) {
      if (type === "connection-lost") outages.set(service, { machine: event.machine, since: at, reason: event.reason });
      else outages.delete(service);
    }
  }
  return outages;
}

/**
 * Host keys that are pinned for an address. `scope` is "" for existing hosts; for others it is the machine's permanent
 * name, and its keys apply to every address ("*").
 */
export function readHostKeys(db: Db, scope: string, address: string): string[] {
  const rows = db
    .prepare<[string, string], { key: string }>("SELECT key FROM host_keys WHERE scope = ? AND address = ?")
    .all(scope, address);
  return rows.map((row) => row.key);
}

/** The place that an encrypted variable is bound to (see `Cipher`). */
export function variablePlace(uid: string, kind: string, name: string): string {
  return `run ${uid}, ${kind} ${name}`;
}

export function attributePlace(uid: string, serviceId: number, name: string): string {
  return `run ${uid}, service number ${serviceId}, attribute ${name}`;
}

function unseal(row: SealedRow, cipher: Cipher, place: string, secrets: SecretReading): string {
  if (row.sealed === null) return row.value ?? "";
  try {
    return cipher.open(row.sealed, place);
  } catch (error) {
    if (secrets === "optional" && isStateError(error)) return "";
    throw error;
  }
}

function toRun(db: Db, row: RunRow): RunRecord {
  return {
    id: row.id,
    uid: row.uid,
    name: row.name,
    planName: row.plan_name,
    planFile: row.plan_file,
    state: row.state as RunState,
    goal: row.goal as RunRecord["goal"],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    holder: leaseHolder(db, row.id),
    abort: readAbort(db, row.id),
  };
}
