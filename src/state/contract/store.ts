/** The record's one door. All of it is asynchronous, so that a database server can stand behind it as well. */
import type { Clock } from "../../time/clock.js";
import type { DriverState } from "../../model/driverState.js";
import type { Environment } from "../../model/environment.js";
import type { AuthorizedKey, ContactStage, RunSshKey } from "./contacts.js";
import type { LauncherFolders, RunFiles } from "./files.js";
import type { BuiltImage, ImageChange, ImageIntent } from "./images.js";
import type { PastRun, PlanIdentity } from "./pastRuns.js";
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
} from "./records.js";
import type { NewRequest, RunRequest } from "./requests.js";
import type { NewRun } from "./revisions.js";
import type { RunWriter } from "./writer.js";

/** Which run: its number, and its unique id. */
export type RunKey = Pick<RunRecord, "id" | "uid">;

/** "optional": a secret whose key is lost reads as an empty value, so that a run can be taken down without it. */
export type SecretReading = "needed" | "optional";

/** All machines that belong to a service of a run that is not terminated. */
export interface LiveMachines {
  readonly keys: ReadonlySet<string>;
  /** Their drivers' ids, as far as they are known. */
  readonly ids: ReadonlySet<string>;
}

export interface StoreOptions {
  /** What times are taken from. Default: the computer's. */
  readonly clock?: Clock;
  /**
   * Told every point at which a launcher may die: before and after each write of a run and each call to a cloud. Tests
   * die there.
   */
  readonly probe?: (point: string) => void;
  /** What chance is taken from, 0 to 1. Default: the computer's; a rehearsal that is to be repeated has its own. */
  readonly random?: () => number;
  /** The environment variables that may be read. Default: none. */
  readonly env?: Environment;
}

/**
 * Options as they were given, or their defaults. Nobody listens to points by default: then not even their names are
 * made.
 */
export type StoreSettings = Required<Omit<StoreOptions, "probe">> & { readonly probe: StoreOptions["probe"] };

/** Whoever wants to know of changes to a run's record. */
export interface RecordListener {
  /**
   * The run's record may have changed: its requests, its events, its holder. It may be called when nothing has, and
   * once for many changes.
   */
  changed(): void;
  /** The record cannot be watched any more; nothing is told after that. */
  failed(error: Error): void;
}

/** Ended by `close`. */
export interface RecordWatch {
  close(): void;
}

/** Every question, and every way to take a run in hand. Reading never waits for a lease. */
export interface Store extends StoreSettings {
  /** What runs keep as files. */
  readonly files: RunFiles;
  /** The launcher's own, for what needs a path. */
  readonly folders: LauncherFolders;
  /** What a driver of this installation keeps. */
  driverState(driver: string): DriverState;
  /** The mark of this installation on every machine that it starts. */
  installation(): Promise<string>;
  listRuns(options: { all: boolean }): Promise<RunSummary[]>;
  runNames(): Promise<string[]>;
  /** By name (the newest of that name) or number. @throws UnknownRunError */
  findRun(nameOrNumber: string): Promise<RunRecord>;
  /** The plan that the run follows, or a revision that it followed once. */
  plan(run: RunKey, revision?: number): Promise<PlanRecord>;
  variables(run: RunKey, secrets?: SecretReading): Promise<VariableRecord[]>;
  services(run: RunKey): Promise<ServiceRecord[]>;
  /** The highest number that a replica of each service of the run ever had, by the service's name in the plan. */
  replicasEver(run: RunKey): Promise<Map<string, number>>;
  /** Names of the services that no plan has any more, by number. */
  removedNames(run: RunKey): Promise<Map<number, string>>;
  machines(run: RunKey): Promise<MachineRecord[]>;
  /** All machines that live services of runs have, or are about to get. */
  liveMachines(): Promise<LiveMachines>;
  attributes(run: RunKey, secrets?: SecretReading): Promise<AttributeRecord[]>;
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
   * Asks something of whoever works on a run; needs no lease. Of an abort, the first one stays. @returns the request
   * that is in force, and whether it is this one.
   */
  putRequest(run: RunKey, request: NewRequest): Promise<{ request: RunRequest; fresh: boolean }>;
  /** The run's requests that are neither answered nor withdrawn, oldest first. */
  openRequests(run: RunKey): Promise<RunRequest[]>;
  /** @returns the request of that number, or null. */
  request(id: number): Promise<RunRequest | null>;
  /** Takes a request back, answered or not. @returns the request, or null: there is none, or it was withdrawn before. */
  withdrawRequest(id: number): Promise<RunRequest | null>;
  /** The abort that is in force for a run, or null. */
  abortOf(run: RunKey): Promise<Abort | null>;
  /** Withdraws the abort that is in force. @returns it, or null: there was none. */
  cancelAbort(run: RunKey): Promise<Abort | null>;
  /** Tells a listener, within 0.2 s, of what others write to a run's record after this has resolved. */
  watch(run: RunKey, listener: RecordListener): Promise<RecordWatch>;

  /** Every image that was ever built, or begun to be, oldest first. */
  builtImages(): Promise<BuiltImage[]>;
  /** Records that an image is to be built; of the same one that is under way, tells that. */
  beginImage(intent: ImageIntent): Promise<BuiltImage>;
  changeImage(id: number, change: ImageChange): Promise<void>;
  /** Records a new run and takes its lease. @throws RunExistsError */
  createRun(run: NewRun): Promise<RunWriter>;
  /** Takes the lease of a run, for `command`. @throws RunBusyError */
  takeRun(run: RunRecord, command: string): Promise<RunWriter>;
  close(): Promise<void>;
}
