/** The state's one door: asynchronous, so that a database server can stand behind it as well. */
import { dataVersion, insertAbort, readAbort, removeAbort } from "./aborts.js";
import { realClock } from "../../time/clock.js";
import {
  beginImage,
  changeImage,
  readBuiltImages,
  type BuiltImage,
  type ImageChange,
  type ImageIntent,
} from "./builtImages.js";
import { createCipher } from "./cipher.js";
import { asStateError, openDatabase, watchFile } from "./database.js";
import {
  readAuthorized,
  readContact,
  readRunKey,
  type AuthorizedKey,
  type ContactStage,
  type RunKey as RunSshKey,
} from "./contacts.js";
import type { LauncherFolders, RunFiles } from "../contract/files.js";
import { locateHome } from "../files/home.js";
import { launcherFolders, localFiles } from "../files/localFiles.js";
import { readInstallation } from "./installation.js";
import { insertRun, type NewRun } from "./newRun.js";
import type {
  Abort,
  AttributeRecord,
  EventRecord,
  MachineRecord,
  PlanRecord,
  RunRecord,
  RunSummary,
  ServiceRecord,
  StepRecord,
  VariableRecord,
} from "../contract/records.js";
import { readPastRuns, type PastRun, type PlanIdentity } from "./pastRuns.js";
import * as reader from "./runReader.js";
import { RunWriter } from "./runWriter.js";
import type { StoreOptions, StoreParts, Chosen } from "./storeParts.js";

/** Which run: its number, and its unique id. */
export type RunKey = Pick<RunRecord, "id" | "uid">;

export interface Store extends Chosen {
  /** What runs keep as files. */
  readonly files: RunFiles;
  /** The launcher's own, for what needs a path. */
  readonly folders: LauncherFolders;
  /** The mark of this installation on every machine that it starts. */
  installation(): Promise<string>;
  listRuns(options: { all: boolean }): Promise<RunSummary[]>;
  runNames(): Promise<string[]>;
  /** By name (the newest of that name) or number. @throws UnknownRunError */
  findRun(nameOrNumber: string): Promise<RunRecord>;
  /** The plan that the run follows, or a revision that it followed once. */
  plan(run: RunKey, revision?: number): Promise<PlanRecord>;
  variables(run: RunKey, secrets?: reader.SecretReading): Promise<VariableRecord[]>;
  services(run: RunKey): Promise<ServiceRecord[]>;
  /** The highest number that a replica of each service of the run ever had, by the service's name in the plan. */
  replicasEver(run: RunKey): Promise<Map<string, number>>;
  /** Names of the services that no plan has any more, by number. */
  removedNames(run: RunKey): Promise<Map<number, string>>;
  machines(run: RunKey): Promise<MachineRecord[]>;
  /** All machines that live services of runs have, or are about to get. */
  liveMachines(): Promise<reader.LiveMachines>;
  attributes(run: RunKey, secrets?: reader.SecretReading): Promise<AttributeRecord[]>;
  steps(run: RunKey, serviceId?: number): Promise<StepRecord[]>;
  /** What setup steps have made of a machine for a service, hashed (`StepRecord.content`). */
  setups(serviceId: number, machineKey: string | null): Promise<Set<string>>;
  events(run: RunKey, after?: number): Promise<EventRecord[]>;
  /** How long earlier runs of a plan took: some twenty of them, those that came up and the newest first. */
  pastRuns(plan: PlanIdentity): Promise<PastRun[]>;
  hostKeys(scope: string, address: string): Promise<string[]>;
  /** How far the first contact with a machine came; it is named as its driver names it. */
  contact(machine: string): Promise<ReadonlySet<ContactStage>>;
  /** Whom the machine of that key was told to let in, or null. */
  authorized(machineKey: string): Promise<AuthorizedKey[] | null>;
  /** The key that was made for a run, or null. @throws StateError if it cannot be decrypted. */
  runKey(run: RunKey): Promise<RunSshKey | null>;
  /**
   * Writes down that a run is to be aborted; an earlier reason stays. Needs no lease. @returns the abort in force, and
   * whether it is this one.
   */
  abort(run: RunKey, abort: Abort): Promise<{ abort: Abort; fresh: boolean }>;
  /** Takes an abort back. @returns the one that there was, or null. */
  cancelAbort(run: RunKey): Promise<Abort | null>;
  abortOf(run: RunKey): Promise<Abort | null>;
  /** Changes whenever another process has written to the database. */
  dataVersion(): number;
  /** Every image that was ever built, or begun to be, oldest first. */
  builtImages(): Promise<BuiltImage[]>;
  /** Records that an image is to be built; of the same one that is under way, tells that. */
  beginImage(wish: ImageIntent): Promise<BuiltImage>;
  changeImage(id: number, change: ImageChange): Promise<void>;
  /** Records a new run and takes its lease. @throws RunExistsError */
  createRun(run: NewRun): Promise<RunWriter>;
  /** Takes the lease of a run, for `command`. @throws RunBusyError */
  takeRun(run: RunRecord, command: string): Promise<RunWriter>;
  close(): void;
}

/**
 * Opens the state in `directory` (default `BOOTLEVEL_HOME` in `options.env`, else `~/.bootlevel`).
 * @throws StateError if it cannot be used; nothing is overwritten then.
 */
export async function openStore(
  directory?: string,
  { clock = realClock, probe, random = Math.random, env = {} }: StoreOptions = {},
): Promise<Store> {
  const home = locateHome(directory, env);
  const db = openDatabase(home);
  const cipher = createCipher(home, env);
  const parts: StoreParts = { db, cipher, clock, probe, random, env, assertInPlace: watchFile(home.database) };
  const ask = async <T>(question: () => T): Promise<T> => {
    try {
      return question();
    } catch (error) {
      throw asStateError(error, home.database);
    }
  };
  return {
    files: localFiles(home),
    folders: launcherFolders(home),
    clock,
    probe,
    random,
    env,
    installation: () => ask(() => readInstallation(db, home)),
    listRuns: (options) => ask(() => reader.listRuns(db, options)),
    runNames: () => ask(() => reader.runNames(db)),
    findRun: (name) => ask(() => reader.findRun(db, name)),
    plan: (run, revision) => ask(() => reader.readPlan(db, run.id, revision ?? null)),
    variables: (run, secrets = "needed") => ask(() => reader.readVariables(db, cipher, run, secrets)),
    services: (run) => ask(() => reader.readServices(db, run.id)),
    replicasEver: (run) => ask(() => reader.readReplicasEver(db, run.id)),
    removedNames: (run) => ask(() => reader.readRemovedNames(db, run.id)),
    machines: (run) => ask(() => reader.readMachines(db, run.id)),
    liveMachines: () => ask(() => reader.readLiveMachines(db)),
    attributes: (run, secrets = "needed") => ask(() => reader.readAttributes(db, cipher, run, secrets)),
    steps: (run, serviceId) => ask(() => reader.readSteps(db, run.id, serviceId)),
    setups: (serviceId, machineKey) => ask(() => reader.readSetups(db, serviceId, machineKey)),
    builtImages: () => ask(() => readBuiltImages(db)),
    beginImage: (wish) => ask(() => told(parts, "image-begun", () => beginImage(db, wish, clock.now()))),
    changeImage: (id, change) =>
      ask(() =>
        told(parts, "image-changed", () => {
          changeImage(db, id, change, clock.now());
        }),
      ),
    events: (run, after) => ask(() => reader.readEvents(db, run.id, after)),
    pastRuns: (plan) => ask(() => readPastRuns(db, plan)),
    hostKeys: (scope, address) => ask(() => reader.readHostKeys(db, scope, address)),
    contact: (machine) => ask(() => readContact(db, machine)),
    authorized: (machineKey) => ask(() => readAuthorized(db, machineKey)),
    runKey: (run) => ask(() => readRunKey(db, cipher, run)),
    abort: (run, abort) => ask(() => insertAbort(db, run, abort)),
    cancelAbort: (run) => ask(() => removeAbort(db, run, clock.now())),
    abortOf: (run) => ask(() => readAbort(db, run.id)),
    dataVersion: () => dataVersion(db),
    createRun: (newRun) =>
      ask(() =>
        db.transaction(() => RunWriter.take(parts, insertRun(db, cipher, newRun, clock.now()), "boot")).immediate(),
      ),
    takeRun: (run, command) => ask(() => RunWriter.take(parts, run, command)),
    close: () => db.close(),
  };
}

/** A write that no run's lease guards, between two points at which tests kill the launcher. */
function told<T>({ probe, assertInPlace }: StoreParts, name: string, write: () => T): T {
  probe?.(`before ${name}`);
  assertInPlace();
  const written = write();
  probe?.(`after ${name}`);
  return written;
}
