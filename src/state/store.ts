/** The state's one door: asynchronous, so that a database server can stand behind it as well. */
import { randomUUID } from "node:crypto";

import type { LaunchPlan } from "../plan/launchPlan.js";
import { createCipher } from "./cipher.js";
import { openDatabase, asStateError } from "./database.js";
import { locateHome, type Home } from "./home.js";
import { insertRun, type NewRun } from "./newRun.js";
import type { AttributeRecord, BundleRecord, EventRecord, MachineRecord, RunRecord, RunSummary, ServiceRecord, StepRecord, VariableRecord } from "./records.js";
import * as reader from "./runReader.js";
import { RunWriter } from "./runWriter.js";

export interface Store {
  readonly home: Home;
  /** The mark of this installation on every machine that it starts. */
  installation(): Promise<string>;
  listRuns(options: { all: boolean }): Promise<RunSummary[]>;
  runNames(): Promise<string[]>;
  /** By name (the newest of that name) or number. @throws UnknownRunError */
  findRun(nameOrNumber: string): Promise<RunRecord>;
  plan(run: RunRecord): Promise<LaunchPlan>;
  bundles(run: RunRecord): Promise<Record<string, BundleRecord>>;
  variables(run: RunRecord, secrets?: reader.SecretReading): Promise<VariableRecord[]>;
  services(run: RunRecord): Promise<ServiceRecord[]>;
  machines(run: RunRecord): Promise<MachineRecord[]>;
  attributes(run: RunRecord, secrets?: reader.SecretReading): Promise<AttributeRecord[]>;
  steps(run: RunRecord): Promise<StepRecord[]>;
  events(run: RunRecord, after?: number): Promise<EventRecord[]>;
  hostKeys(scope: string, address: string): Promise<string[]>;
  /** Records a new run and takes its lease. @throws RunExistsError */
  createRun(run: NewRun): Promise<RunWriter>;
  /** Takes the lease of a run, for `command`. @throws RunBusyError */
  takeRun(run: RunRecord, command: string): Promise<RunWriter>;
  close(): void;
}

/**
 * Opens the state in `directory` (default `$BOOTLEVEL_HOME`, else `~/.bootlevel`).
 * @throws StateError if it cannot be used; nothing is overwritten then.
 */
export async function openStore(directory?: string): Promise<Store> {
  const home = locateHome(directory);
  const db = openDatabase(home);
  const cipher = createCipher(home);
  const ask = async <T>(question: () => T): Promise<T> => {
    try {
      return question();
    } catch (error) {
      throw asStateError(error, home.database);
    }
  };
  return {
    home,
    installation: () => ask(() => {
      db.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('installation', ?)").run(randomUUID());
      return (db.prepare("SELECT value FROM meta WHERE key = 'installation'").get() as { value: string }).value;
    }),
    listRuns: (options) => ask(() => reader.listRuns(db, options)),
    runNames: () => ask(() => reader.runNames(db)),
    findRun: (name) => ask(() => reader.findRun(db, name)),
    plan: (run) => ask(() => reader.readPlan(db, run.id)),
    bundles: (run) => ask(() => reader.readBundles(db, run.id)),
    variables: (run, secrets = "needed") => ask(() => reader.readVariables(db, cipher, run, secrets)),
    services: (run) => ask(() => reader.readServices(db, run.id)),
    machines: (run) => ask(() => reader.readMachines(db, run.id)),
    attributes: (run, secrets = "needed") => ask(() => reader.readAttributes(db, cipher, run, secrets)),
    steps: (run) => ask(() => reader.readSteps(db, run.id)),
    events: (run, after) => ask(() => reader.readEvents(db, run.id, after)),
    hostKeys: (scope, address) => ask(() => reader.readHostKeys(db, scope, address)),
    createRun: (newRun) => ask(() => db.transaction(() => RunWriter.take(db, cipher, insertRun(db, cipher, newRun), "boot")).immediate()),
    takeRun: (run, command) => ask(() => RunWriter.take(db, cipher, run, command)),
    close: () => db.close(),
  };
}
