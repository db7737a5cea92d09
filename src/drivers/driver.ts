/**
 * The IaaS contract. A driver knows a cloud and nothing of services; third parties publish one as an npm package whose default export is a
 * `DriverDefinition`. The failure semantics are part of the contract and stand at each verb.
 */

/** One machine that is wanted. `key` names the wish for ever: the same key never gives a second machine. */
export interface LaunchRequest {
  readonly key: string;
  /** Marks that the machine must carry where the cloud can: the run's unique id, and names for people. */
  readonly mark: MachineMark;
  readonly image: string | null;
  readonly size: string | null;
  /** The service's `launch:` keys, references resolved. */
  readonly launch: Readonly<Record<string, unknown>>;
}

export interface MachineMark {
  readonly installation: string;
  readonly run: string;
  readonly runName: string;
  readonly service: string;
}

/** How programs reach a machine. */
export type MachineAccess =
  | { readonly kind: "local"; readonly directory: string; readonly address: string; readonly brand: string }
  | { readonly kind: "ssh"; readonly host: string; readonly port: number | null; readonly user: string | null };

/** What the cloud says of one machine. `host`, `privateHost` and `access` are null until the machine has an address. */
export interface MachineStatus {
  readonly id: string;
  readonly key: string | null;
  readonly state: "pending" | "running" | "stopped" | "terminated" | "unknown";
  readonly host: string | null;
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

export interface Driver {
  /**
   * Starts machines, one for each request, in one call where the cloud can. Safe to repeat: for a key that the cloud already knows it
   * returns the machine that exists. Resolves with one outcome a request, in order; throws `CloudUnreachableError` only if nothing was asked.
   * An aborted signal stops further asking; what was asked already is still reported.
   */
  launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]>;
  /** What the cloud says of these machines now, in the order of `ids`; one that it does not know is "terminated". */
  describe(ids: readonly string[], signal: AbortSignal): Promise<MachineStatus[]>;
  /** Destroys machines and resolves when they are gone. Safe to repeat. One that is "failed" may still exist. */
  terminate(ids: readonly string[], signal: AbortSignal): Promise<TerminateOutcome[]>;
  /** Every machine that carries this run's mark (`MachineMark.run`), known to the database or not. */
  list(run: string, signal: AbortSignal): Promise<MachineStatus[]>;
  /** Releases what the driver holds (sockets, watchers). Machines stay. */
  close?(): Promise<void>;
}

/** What a driver is made from. */
export interface DriverContext {
  /** The cloud's name in the plan, and its keys but for `driver` and `defaults`, references resolved. */
  readonly cloud: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** A private directory (mode 0700) for state of the driver's own; it outlives the process. */
  readonly stateDirectory: string;
  /** Tells the operator something that is no failure. */
  readonly warn: (message: string) => void;
}

/** A driver module's default export. */
export interface DriverDefinition {
  readonly name: string;
  /** JSON Schemas (draft-07) of the cloud's own keys and of a service's `launch:`; null accepts nothing. */
  readonly cloudSchema: object | null;
  readonly launchSchema: object | null;
  /** What a service on this cloud gets for `ssh.host_keys` and `ssh.connect_timeout` (milliseconds) if nobody says otherwise. */
  readonly sshDefaults: { readonly hostKeys: "known-hosts" | "accept-new"; readonly connectTimeoutMs: number };
  create(context: DriverContext): Driver;
}

/** A machine could not be launched, described or destroyed; the message says why in the cloud's words. */
export class DriverError extends Error {
  override readonly name: string = "DriverError";
}

/** The cloud did not answer at all: the operator's network or credentials, not the request. */
export class CloudUnreachableError extends DriverError {
  override readonly name = "CloudUnreachableError";
  constructor(readonly cloud: string, detail: string) {
    super(`cloud "${cloud}" cannot be reached: ${detail}`);
  }
}
