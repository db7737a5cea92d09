/** The only access to the record. All methods are asynchronous, so that a database server can implement them too. */
import type { Clock } from "../../time/clock.js";
import type { DriverState } from "../../model/driverState.js";
import type { Environment } from "../../model/environment.js";
import type { AnsweredRequest } from "./changes.js";
import type { AuthorizedKey, ContactStage, RunSshKey } from "./contacts.js";
import type { LauncherFolders, RunFiles } from "./files.js";
import type { BuiltImage, ImageChange, ImageIntent } from "./images.js";
import type { PastRun, PlanIdentity } from "./pastRuns.js";
import type {
  Abort,
  AttributeRecord,
  EventRecord,
  OutageRecord,
  MachineRecord,
  PlanRecord,
  RunRecord,
  RunSummary,
  ServiceRecord,
  StepRecord,
  VariableRecord,
} from "./records.js";
import type { NewRequest, RunRequest } from "./requests.js";
import type { NewRun } from "./revisions.js";
import type { RunWriter } from "./writer.js";

/** Identifies a run by its number and its unique id. */
export type RunKey = Pick<RunRecord, "id" | "uid">;

/** "optional": a secret whose key is lost reads as an empty value, so that the run can still be taken down. */
export type SecretReading = "needed" | "optional";

/** All machines of services of runs that are not terminated. */
export interface LiveMachines {
  /** The driver's id by the key of the launch request; null: not known yet. */
  readonly keys: ReadonlyMap<string, string | null>;
  /** Their driver ids, as far as they are known. */
  readonly ids: ReadonlySet<string>;
}

export interface StoreOptions {
  /** The source of times. Default: the computer's clock. */
  readonly clock?: Clock;
  /**
   * Called at every point at which a launcher may die: before and after each write of a run and each call to a cloud.
   * Tests kill the launcher there.
   */
  readonly probe?: (point: string) => void;
  /** The source of random numbers, 0 to 1. Default: the computer's. A repeatable rehearsal has its own. */
  readonly random?: () => number;
  /** The environment variables that may be read. Default: none. */
  readonly env?: Environment;
  /** What to do where there is no record yet. Default: `create`. */
  readonly without?: WithoutRecord;
}

/**
 * What to do where there is no record:
 *
 * - `create`: begin one.
 * - `empty`: act as an installation without runs. Nothing is made.
 * - `accept-loss`: like `empty`, even if files of runs show that there was a record.
 */
export type WithoutRecord = "create" | "empty" | "accept-loss";

/** The options, or their defaults. By default there is no probe, and names of points are not computed. */
export type StoreSettings = Required<Omit<StoreOptions, "probe" | "without">> & {
  readonly probe: StoreOptions["probe"];
};

/** Listens for changes to a run's record. */
export interface RecordListener {
  /**
   * The run's record may have changed: its requests, its events, its holder. It may be called without a change, and
   * once for several changes.
   */
  changed(): void;
  /** The record cannot be watched any more. No further calls follow. */
  failed(error: Error): void;
}

/** Ends with `close`. */
export interface RecordWatch {
  close(): void;
}

/** All queries of the record, and all ways to take a run's lease. Reads never wait for a lease. */
export interface Store extends StoreSettings {
  /** The files of runs. */
  readonly files: RunFiles;
  /** The launcher's own folders, for code that needs a path. */
  readonly folders: LauncherFolders;
  /** The state of a driver of this installation. */
  driverState(driver: string): DriverState;
  /** The id of this installation, which marks every machine that it starts. */
  installation(): Promise<string>;
  listRuns(options: { all: boolean }): Promise<RunSummary[]>;
  runNames(): Promise<string[]>;
  /**
   * Finds a run by name (the newest with that name) or number.
   * @throws UnknownRunError
   */
  findRun(nameOrNumber: string): Promise<RunRecord>;
  /** The plan that the run follows, or an earlier revision. */
  plan(run: RunKey, revision?: number): Promise<PlanRecord>;
  variables(run: RunKey, secrets?: SecretReading): Promise<VariableRecord[]>;
  /** Secret values that variables and attributes of the run had before. */
  formerSecrets(run: RunKey, secrets?: SecretReading): Promise<string[]>;
  services(run: RunKey): Promise<ServiceRecord[]>;
  /** The highest replica number that each service of the run ever had, by the service's name in the plan. */
  replicasEver(run: RunKey): Promise<Map<string, number>>;
  /** Names of the services that are in no plan any more, by number. */
  removedNames(run: RunKey): Promise<Map<number, string>>;
  machines(run: RunKey): Promise<MachineRecord[]>;
  /** All machines that services of live runs have or have requested. */
  liveMachines(): Promise<LiveMachines>;
  /** @param builtIns false leaves out built-in attributes other than `host`. Default: true. */
  attributes(run: RunKey, secrets?: SecretReading, builtIns?: boolean): Promise<AttributeRecord[]>;
  steps(run: RunKey, serviceId?: number): Promise<StepRecord[]>;
  /** Hashes of the setup steps that ran on a machine for a service (`StepRecord.content`). */
  setups(serviceId: number, machineKey: string | null): Promise<Set<string>>;
  events(run: RunKey, after?: number): Promise<EventRecord[]>;
  /** Whether a request of a running program was handled by this launcher or an earlier one. */
  wasAnswered(run: RunKey, request: AnsweredRequest): Promise<boolean>;
  /** Services whose launcher has lost the connection to their machine and not restored it, by name. */
  outages(run: RunKey): Promise<ReadonlyMap<string, OutageRecord>>;
  /** Durations of earlier runs of a plan: about twenty runs, completed and newest ones first. */
  pastRuns(plan: PlanIdentity): Promise<PastRun[]>;
  hostKeys(scope: string, address: string): Promise<string[]>;
  /** The completed stages of the first connection to a machine. `machine` is the driver's name for it. */
  contact(machine: string): Promise<ReadonlySet<ContactStage>>;
  /** The keys that the machine with that key was told to authorize, or null. */
  authorized(machineKey: string): Promise<AuthorizedKey[] | null>;
  /**
   * The run's own key pair, or null.
   * @throws StateError if it cannot be decrypted.
   */
  runKey(run: RunKey): Promise<RunSshKey | null>;

  /**
   * Sends a request to the holder of the run's lease. Needs no lease. An earlier abort stays in force.
   * @returns the request in force, and whether it is this one.
   */
  putRequest(run: RunKey, request: NewRequest): Promise<{ request: RunRequest; fresh: boolean }>;
  /** The run's requests that are neither answered nor withdrawn, oldest first. */
  openRequests(run: RunKey): Promise<RunRequest[]>;
  /** What is handed over with a request that was not answered yet, or null. */
  requestPayload(run: RunKey, id: number): Promise<Buffer | null>;
  /** @returns the request with that number, or null. */
  request(id: number): Promise<RunRequest | null>;
  /**
   * Withdraws a request, answered or not.
   * @returns the request, or null if it does not exist or was withdrawn before.
   */
  withdrawRequest(id: number): Promise<RunRequest | null>;
  /** The abort in force for a run, or null. */
  abortOf(run: RunKey): Promise<Abort | null>;
  /**
   * Withdraws the abort in force.
   * @returns it, or null if there was none.
   */
  cancelAbort(run: RunKey): Promise<Abort | null>;
  /** Notifies a listener, within 0.2 s, of writes by others to a run's record after this has resolved. */
  watch(run: RunKey, listener: RecordListener): Promise<RecordWatch>;

  /** Every image whose build was ever begun, oldest first. */
  builtImages(): Promise<BuiltImage[]>;
  /** Records that an image will be built. If its build is in progress, returns that one. */
  beginImage(intent: ImageIntent): Promise<BuiltImage>;
  changeImage(id: number, change: ImageChange): Promise<void>;
  /**
   * Records a new run and takes its lease.
   * @throws RunExistsError
   */
  createRun(run: NewRun): Promise<RunWriter>;
  /**
   * Takes the lease of a run for `command`.
   * @throws RunBusyError
   */
  takeRun(run: RunRecord, command: string): Promise<RunWriter>;
  close(): Promise<void>;
}
