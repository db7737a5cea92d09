/** The record in an SQLite file: the default, which needs no server. */
import { readFormerSecrets } from "./formerSecrets.js";
import { realClock } from "../../time/clock.js";
import type { Store, StoreOptions } from "../contract/store.js";
import { locateHome } from "../files/home.js";
import { driverStateFolder } from "../files/driverState.js";
import { launcherFolders, localFiles } from "../files/localFiles.js";
import { beginImage, changeImage, readBuiltImages } from "./builtImages.js";
import { createCipher } from "./cipher.js";
import { readAuthorized, readContact, readRunKey } from "./contacts.js";
import { asStateError, openDatabase, watchFile } from "./database.js";
import { readInstallation } from "./installation.js";
import { insertRun } from "./newRun.js";
import { readPastRuns } from "./pastRuns.js";
import {
  insertRequest,
  readAbort,
  readOpenRequests,
  readRequest,
  readSealedPayload,
  removeAbort,
  withdrawRequest,
} from "./requests.js";
import * as reader from "./runReader.js";
import { SqliteWriter } from "./sqliteWriter.js";
import type { StoreParts } from "./storeParts.js";
import { DatabaseWatch } from "./watch.js";

/** Runs a query. Explains database errors with a remedy. */
type Ask = <T>(question: () => T) => Promise<T>;

/** Like `openStore`. */
export async function openSqliteStore(
  directory: string | undefined,
  { clock = realClock, probe, random = Math.random, env = {}, without = "create" }: StoreOptions,
): Promise<Store> {
  const home = locateHome(directory, env);
  const { db, isKept } = openDatabase(home, without);
  const cipher = createCipher(home, env);
  const parts: StoreParts = { db, cipher, clock, probe, random, env, assertInPlace: watchFile(home.database) };
  const watch = new DatabaseWatch(db);
  const ask: Ask = async (question) => {
    try {
      return question();
    } catch (error) {
      throw asStateError(error, home.database);
    }
  };
  return {
    files: localFiles(home),
    folders: launcherFolders(home),
    driverState: (driver) => driverStateFolder(home.driverDirectory(driver)),
    clock,
    probe,
    random,
    env,
    installation: () => ask(() => readInstallation(db, home, isKept)),
    ...questions(parts, ask),
    ...requests(parts, watch, ask),
    ...images(parts, ask),
    watch: (_run, listener) => ask(() => watch.add(listener)),
    createRun: (newRun) =>
      ask(() =>
        db.transaction(() => SqliteWriter.take(parts, insertRun(db, cipher, newRun, clock.now()), "boot")).immediate(),
      ),
    takeRun: (run, command) => ask(() => SqliteWriter.take(parts, run, command)),
    close: async () => {
      watch.close();
      db.close();
    },
  };
}

function questions({ db, cipher }: StoreParts, ask: Ask) {
  return {
    listRuns: (options) => ask(() => reader.listRuns(db, options)),
    runNames: () => ask(() => reader.runNames(db)),
    findRun: (name) => ask(() => reader.findRun(db, name)),
    plan: (run, revision) => ask(() => reader.readPlan(db, run.id, revision ?? null)),
    variables: (run, secrets = "needed") => ask(() => reader.readVariables(db, cipher, run, secrets)),
    formerSecrets: (run, secrets = "needed") => ask(() => readFormerSecrets(db, cipher, run, secrets)),
    services: (run) => ask(() => reader.readServices(db, run.id)),
    replicasEver: (run) => ask(() => reader.readReplicasEver(db, run.id)),
    removedNames: (run) => ask(() => reader.readRemovedNames(db, run.id)),
    machines: (run) => ask(() => reader.readMachines(db, run.id)),
    liveMachines: () => ask(() => reader.readLiveMachines(db)),
    attributes: (run, secrets = "needed", builtIns = true) =>
      ask(() => reader.readAttributes(db, cipher, run, secrets, builtIns)),
    steps: (run, serviceId) => ask(() => reader.readSteps(db, run.id, serviceId)),
    setups: (serviceId, machineKey) => ask(() => reader.readSetups(db, serviceId, machineKey)),
    wasAnswered: (run, request) => ask(() => reader.wasAnswered(db, run.id, request)),
    outages: (run) => ask(() => reader.readOutages(db, run.id)),
    events: (run, after) => ask(() => reader.readEvents(db, run.id, after)),
    pastRuns: (plan) => ask(() => readPastRuns(db, plan)),
    hostKeys: (scope, address) => ask(() => reader.readHostKeys(db, scope, address)),
    contact: (machine) => ask(() => readContact(db, machine)),
    authorized: (machineKey) => ask(() => readAuthorized(db, machineKey)),
    runKey: (run) => ask(() => readRunKey(db, cipher, run)),
  } satisfies Partial<Store>;
}

/** Ties an encrypted payload to its run. */
const payloadPlace = ({ uid }: { readonly uid: string }): string => `run ${uid}, payload of a request`;

function requests({ db, cipher, clock }: StoreParts, watch: DatabaseWatch, ask: Ask) {
  /** Also notifies watchers that use this same store. */
  const told = <T>(write: () => T) =>
    ask(() => {
      const written = write();
      watch.tell();
      return written;
    });
  return {
    putRequest: (run, request) =>
      told(() => {
        const sealed = "payload" in request ? cipher.seal(request.payload.toString("base64"), payloadPlace(run)) : null;
        return insertRequest(db, run, request, sealed);
      }),
    requestPayload: (run, id) =>
      ask(() => {
        const sealed = readSealedPayload(db, id);
        return sealed === null ? null : Buffer.from(cipher.open(sealed, payloadPlace(run)), "base64");
      }),
    openRequests: (run) => ask(() => readOpenRequests(db, run.id)),
    request: (id) => ask(() => readRequest(db, id)),
    withdrawRequest: (id) => told(() => withdrawRequest(db, id, clock.now())),
    abortOf: (run) => ask(() => readAbort(db, run.id)),
    cancelAbort: (run) => told(() => removeAbort(db, run, clock.now())),
  } satisfies Partial<Store>;
}

function images(parts: StoreParts, ask: Ask) {
  const { db, clock } = parts;
  return {
    builtImages: () => ask(() => readBuiltImages(db)),
    beginImage: (intent) => ask(() => unguarded(parts, "image-begun", () => beginImage(db, intent, clock.now()))),
    changeImage: (id, change) =>
      ask(() =>
        unguarded(parts, "image-changed", () => {
          changeImage(db, id, change, clock.now());
        }),
      ),
  } satisfies Partial<Store>;
}

/** A write that no lease guards, between two probe points at which tests kill the launcher. */
function unguarded<T>({ probe, assertInPlace }: StoreParts, name: string, write: () => T): T {
  probe?.(`before ${name}`);
  assertInPlace();
  const written = write();
  probe?.(`after ${name}`);
  return written;
}
