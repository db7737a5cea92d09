/**
 * The IaaS contract. A driver knows a cloud and nothing of services; third parties publish one as an npm package whose
 * default export is a `DriverDefinition`. The failure semantics are part of the contract and stand at each verb.
 */

import type { DriverState } from "../../model/driverState.js";
import type { Environment } from "../../model/environment.js";
import type { Clock } from "../../time/clock.js";
import type { MachineConnection } from "../../machines/contract/connection.js";
import type { ProgramRunner } from "../../machines/program/programRunner.js";
import type { HostKeyPolicy } from "../../machines/ssh/settings.js";

export type { HostKeyPolicy };
export type { DriverState, StateEntry, StateKey, StateValue } from "../../model/driverState.js";
export * from "./errors.js";

/** A request for one machine. `key` identifies it permanently: the same key never launches a second machine. */
export interface LaunchRequest {
  readonly key: string;
  /** Marks that the machine must carry where the cloud can: the run's unique id, and names for people. */
  readonly mark: MachineMark;
  /** Which replica of its service it is for, counted from 1. */
  readonly replica: number;
  readonly image: string | null;
  readonly size: string | null;
  /** Sizes to try in order where there is no capacity for `size`. */
  readonly fallbackSizes: readonly string[];
  /** The service's `launch:` keys, references resolved. */
  readonly launch: Readonly<Record<string, unknown>>;
  /** Ids of the service's earlier machines that failed. If there is a choice, others are preferred. */
  readonly avoid: readonly string[];
  /**
   * Machines that were launched for this replica by the same command and ended before anybody could use them. If a lack
   * of capacity ended them, other sizes and zones of the request are preferred. Default: none.
   */
  readonly died?: readonly DiedMachine[];
  /**
   * What the machine is given for its first SSH contact; null if the driver does not prepare machines
   * (`DriverDefinition.preparesMachines`).
   */
  readonly contact: Contact | null;
}

/** What a new machine needs to authorize the launcher and to be recognised by it. */
export interface Contact {
  /** Lines of authorized_keys for the user that the image lets in. */
  readonly authorizedKeys: readonly string[];
  /**
   * Whether the driver makes a host key, gives it to the machine, and tells its public half in the machine's access.
   */
  readonly hostKey: boolean;
}

/** A machine that ended before it could be used. */
export interface DiedMachine {
  readonly id: string;
  /** Its size, zone and subnet; null where the cloud did not tell. */
  readonly size: string | null;
  readonly zone: string | null;
  readonly subnet: string | null;
  /** The cloud's words; "" if it gave none. */
  readonly reason: string;
}

export interface MachineMark {
  readonly installation: string;
  readonly run: string;
  readonly runName: string;
  readonly service: string;
}

/** Selects machines: those of an installation, or of one run (`run` null or its unique id). */
export interface MarkScope {
  readonly installation: string;
  readonly run: string | null;
}

/** Whether a machine with this mark is selected. */
export function isInScope(mark: MachineMark, scope: MarkScope): boolean {
  return mark.installation === scope.installation && (scope.run === null || mark.run === scope.run);
}

/** What JSON can say. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** How a machine is reached; "driver": by its driver (`Driver.connect`). */
export type MachineAccess =
  | {
      readonly kind: "ssh";
      readonly host: string;
      readonly port: number | null;
      readonly user: string | null;
      readonly firstContact?: FirstContact;
      /** The host existed before, and others may use it too: it is marked while it serves a machine. */
      readonly exclusive?: true;
    }
  | {
      readonly kind: "driver";
      readonly cloud: string;
      readonly id: string;
      /** Only the driver reads it: `connect` gets it back. The record keeps it in clear: no secrets. */
      readonly data?: JsonValue;
    };

export interface ConnectOptions {
  /** `data` of the machine's access; null if it has none. */
  readonly data: JsonValue;
  /** How long the machine is waited for, in milliseconds. The caller gives up after that, and aborts `signal`. */
  readonly timeoutMs: number;
  /** Aborted when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/**
 * How to recognise a machine at the first connection. It must not change while the machine lives: `launch`, `describe`
 * and `list` return the same. Host keys of the machine are pinned under `machine`, because another machine may have had
 * its address.
 */
export interface FirstContact {
  /** Names the machine for ever, among all machines of all clouds. */
  readonly machine: string;
  /** The public host keys (`ssh-ed25519 AAAA…`) of which it was given one for its first contact only; empty: none. */
  readonly hostKeys: readonly string[];
}

/** What the cloud says of one machine. `host`, `privateHost` and `access` are null until the machine has an address. */
export interface MachineStatus {
  readonly id: string;
  readonly key: string | null;
  /** What it was marked with, or null where the cloud does not tell. */
  readonly mark: MachineMark | null;
  /**
   * "unknown": the cloud does not know it, which proves nothing while the machine is younger than
   * `Driver.visibilityMs`.
   */
  readonly state: "pending" | "running" | "stopped" | "terminated" | "unknown";
  readonly host: string | null;
  /**
   * Why a machine that runs has no address, and what to do; null or missing if it has one, or may get one yet. The
   * launch fails soon then, instead of waiting for an address.
   */
  readonly noAddress?: string | null;
  /** The size that it has, and its zone: with several to choose from, the plan does not tell. */
  readonly size?: string | null;
  readonly zone?: string | null;
  /** The subnet that it is in. */
  readonly subnet?: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  readonly access: MachineAccess | null;
  /** The cloud's own words about the state, "" when it gave none. */
  readonly reason: string;
}

/** After a failed launch nothing of the request is left, unless `leftover` says what may be. */
export type LaunchOutcome =
  | { readonly key: string; readonly kind: "launched"; readonly machine: MachineStatus }
  | { readonly key: string; readonly kind: "failed"; readonly error: Error; readonly leftover: string | null };

export type TerminateOutcome =
  | { readonly id: string; readonly kind: "terminated" }
  | { readonly id: string; readonly kind: "failed"; readonly error: Error };

/** A machine of which an image is wanted. */
export interface ImageRequest {
  /** The driver's id of the machine. It runs, and nobody uses it; it may be restarted. */
  readonly machine: string;
  /**
   * Identifies the request permanently: the same name never creates a second image. Letters, digits and `-`, at most
   * 100 characters.
   */
  readonly name: string;
  /** For people, in one line. */
  readonly description: string;
  /** Marks that the image must carry where the cloud can; `service` is the image's name in the plan. */
  readonly mark: MachineMark;
}

export interface Driver {
  /**
   * Starts machines, one for each request, in one call where the cloud can. Safe to repeat: for a key that the cloud
   * already knows it returns the machine that exists. Resolves with one outcome a request, in order; throws
   * `CloudUnreachableError` only if nothing was asked. An aborted signal stops further asking; what was asked already
   * is still reported.
   *
   * Every verb may throw `ThrottledError` (nothing was done) and `LostReplyError` (nobody knows): the caller waits and
   * repeats the call.
   */
  launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]>;
  /**
   * What the cloud says of these machines now, in the order of `ids`; one that it does not know is "unknown", or
   * "terminated" if that is certain.
   */
  describe(ids: readonly string[], signal: AbortSignal): Promise<MachineStatus[]>;
  /** Destroys machines and resolves when they are gone. Safe to repeat. One that is "failed" may still exist. */
  terminate(ids: readonly string[], signal: AbortSignal): Promise<TerminateOutcome[]>;
  /** Every machine that carries these marks and is not destroyed, known to the database or not. */
  list(scope: MarkScope, signal: AbortSignal): Promise<MachineStatus[]>;
  /**
   * Fingerprints (`SHA256:…`) of the host keys that the machine has printed on its console; null when it has not
   * printed them yet. For `host_keys: console`.
   */
  hostKeyFingerprints?(id: string, signal: AbortSignal): Promise<readonly string[] | null>;
  /**
   * Lets this computer connect to the run's machines where its address has changed since their launch. Called when a
   * machine that has let a launcher in before does not answer. Safe to repeat; changes nothing with
   * `DriverContext.readOnly`.
   *
   * @param host the address at which the machine was tried
   * @returns what keeps this computer out, or what was changed, for people; null if neither
   */
  admit?(scope: MarkScope & { readonly run: string }, host: string, signal: AbortSignal): Promise<string | null>;
  /**
   * The runs of an installation for which the cloud still has what `release` removes: also runs that no record knows any
   * more. @returns their unique ids
   */
  unreleased?(installation: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Makes an image of a machine, and resolves when machines can be started from it: its id is what a later
   * `LaunchRequest.image` says. Safe to repeat: for a name that the cloud already knows it gives the image that exists,
   * and waits for that. Rejects with an `AbortError` when the signal aborts meanwhile; what the cloud has begun goes on
   * then. A driver without it cannot make images.
   * @throws ImageFailedError if nothing will come of this name any more.
   */
  createImage?(request: ImageRequest, signal: AbortSignal): Promise<{ readonly id: string }>;
  /**
   * Removes an image that `createImage` made, with all that belongs to it. Safe to repeat: one that does not exist is
   * removed.
   */
  deleteImage?(id: string, signal: AbortSignal): Promise<void>;
  /** Asks the cloud whether these launches could work, and launches nothing. @returns what would not, in no order. */
  check?(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<readonly LaunchProblem[]>;
  /**
   * Removes what the driver made for a run beside its machines (a security group). Called when the run has no machine
   * left. Safe to repeat.
   */
  release?(scope: MarkScope & { readonly run: string }, signal: AbortSignal): Promise<void>;
  /**
   * True: its machines exist without it, and `terminate` gives them back instead of destroying them. It only changes how
   * results are worded. Default: false.
   */
  readonly lends?: boolean;
  /**
   * How long the cloud may not show a machine yet that it has launched, in milliseconds. Default: 0, it shows it at
   * once.
   */
  readonly visibilityMs?: number;
  /**
   * Connects to a machine whose access is of kind "driver". Its programs, files and `bl` then need nothing more of the
   * driver. The engine keeps one connection a machine, calls again when it is no longer `alive`, and closes it itself,
   * which may be after `close` of this driver. It changes nothing at the cloud: also commands that only look call it.
   * It may throw `ThrottledError`.
   * @throws ConnectionError if the machine does not answer.
   */
  connect?(id: string, options: ConnectOptions): Promise<MachineConnection>;
  /**
   * The exception: runs programs on a machine without any shell (a simulation). It goes before `connect`. Such machines
   * have no staging, and a driver without `connect` gives no files, `bl` or logins.
   */
  programRunner?(id: string): ProgramRunner;
  /**
   * Finishes pending work and releases the driver's resources (sockets, watchers). After an abort of the signal, by an
   * operator who wants to stop, work that can wait is left to the next command. Machines stay.
   */
  close?(signal?: AbortSignal): Promise<void>;
}

/** Why a launch would not work, as `Driver.check` finds it. */
export interface LaunchProblem {
  /** The requests that it is about. */
  readonly keys: readonly string[];
  /** What is wrong and what to do, in one line. */
  readonly message: string;
}

/** What a driver is made from. */
export interface DriverContext {
  /** The cloud's name in the plan, and its keys but for `driver` and `defaults`, references resolved. */
  readonly cloud: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What the driver keeps: claims, what it has asked for. It outlives the process and this computer, if need be. */
  readonly state: DriverState;
  /**
   * A private directory (mode 0700) on this computer, for drivers that need real files: directories of local machines, a
   * database. It outlives the process. Another launcher does not see it: keep in `state` what all must know. Folders that
   * bear the name of a group of keys are `state`'s.
   */
  readonly stateDirectory: string;
  /** Tells the operator something that is no failure. */
  readonly warn: (message: string) => void;
  /** The environment variables that the driver may read. */
  readonly env: Environment;
  /** What the driver waits by. */
  readonly clock: Clock;
  /**
   * If a verb makes several requests that change something in the cloud, await this right before each. Rejects if
   * another launcher has taken over the run. The caller covers the first request of a verb.
   */
  readonly permit: () => Promise<void>;
  /** Whether the command only looks: nothing may be changed at the cloud then. */
  readonly readOnly: boolean;
}

/** A driver module's default export. */
export interface DriverDefinition {
  readonly name: string;
  /** JSON Schemas (draft-07) of the cloud's own keys and of a service's `launch:`; null accepts nothing. */
  readonly cloudSchema: object | null;
  readonly launchSchema: object | null;
  /**
   * What a service on this cloud gets for `ssh.host_keys`, `ssh.connect_timeout` (milliseconds) and `ssh.cloud_init` if
   * nobody says otherwise.
   */
  readonly sshDefaults: {
    readonly hostKeys: HostKeyPolicy;
    readonly connectTimeoutMs: number;
    readonly cloudInit?: "wait" | "ignore";
  };
  /**
   * Whether it cannot launch without `LaunchRequest.image`: a service on such a cloud that names an image of the plan
   * needs its id there. Default: false.
   */
  readonly needsImage?: boolean;
  /** Whether it hands keys to the machines that it launches: `LaunchRequest.contact` is given then. Default: false. */
  readonly preparesMachines?: boolean;
  create(context: DriverContext): Driver;
}
