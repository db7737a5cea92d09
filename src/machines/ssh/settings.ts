/** SSH settings of one machine. The engine makes them from the launch plan. */
import type { Environment } from "../../model/environment.js";

/**
 * How an unknown host key is verified. known-hosts: it must be in known_hosts. accept-new: it is accepted and pinned.
 * injected: it must be the temporary key from the launch (see `replaceHostKeys.ts`). console: it must be on the machine's
 * console.
 */
export type HostKeyPolicy = "known-hosts" | "accept-new" | "injected" | "console";

export interface SshSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Directory for step directories; absolute, or relative to the home directory. */
  readonly workDirectory: string;
  /** Absolute paths of private keys, tried in order. Empty: the agent, then the usual files of ~/.ssh. */
  readonly identities: readonly string[];
  /** The environment variable that holds the keys' passphrase, or null. */
  readonly passphraseEnv: string | null;
  /** The environment that may be read: passphrases, `HOME` and `SSH_AUTH_SOCK`. */
  readonly env: Environment;
  readonly agent: boolean;
  readonly jump: JumpHost | null;
  /** The program, with its arguments, that carries the connection, or null; instead of TCP and of `jump`. */
  readonly proxyCommand?: readonly string[] | null;
  /** The machine's id in its cloud, for `proxyCommand`; null for a host. */
  readonly machineId?: string | null;
  readonly hostKeys: HostKeyPolicy;
  /** Absolute path of the known_hosts file. */
  readonly knownHosts: string;
  /** Time limit in milliseconds for reaching the machine, retries included. */
  readonly connectTimeoutMs: number;
  /** Keepalive interval in milliseconds. Three unanswered keepalives end the connection. 0 turns keepalives off. */
  readonly keepaliveMs: number;
  /** Pinned keys of existing hosts, by address. */
  readonly pins: HostKeyPins;
  /** Host key data of a launched machine; null for an existing host. */
  readonly contact: MachineContact | null;
  /** The private key that is offered after all others, or null. */
  readonly ownKey: string | null;
}

/** Host key data of a launched machine. */
export interface MachineContact {
  /** The temporary host keys from the launch. */
  readonly hostKeys: readonly string[];
  /** Pinned keys of this machine. They are kept per machine because clouds reuse addresses. */
  readonly pins: HostKeyPins;
  /** False for a read-only command: it accepts the temporary key and does not replace it. */
  readonly mayChange: boolean;
  /** Whether the machine has replaced its temporary keys; if so, those are refused. */
  finished(): Promise<boolean>;
  finish(): Promise<void>;
  /**
   * Fingerprints of the keys on the machine's console, or null: not there yet, or queried a moment ago.
   * @throws HostKeyError when the console cannot be read.
   */
  fingerprints(signal: AbortSignal): Promise<readonly string[] | null>;
}

export interface JumpHost {
  readonly host: string;
  readonly user: string;
  readonly port: number;
}

/** Host keys that were accepted on first use. An address is `host`, or `[host]:port` for a port other than 22. */
export interface HostKeyPins {
  /** Keys as `ssh-ed25519 AAAA…`. */
  find(address: string): Promise<string[]>;
  pin(address: string, key: string): Promise<void>;
}

/** The address in known_hosts notation. */
export function hostAddress(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

export type Trust = Pick<SshSettings, "hostKeys" | "knownHosts" | "pins" | "contact">;
