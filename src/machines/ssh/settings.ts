/** How a machine is reached over SSH; made from the launch plan by the engine. */
import type { Environment } from "../../model/environment.js";

/**
 * How a host that is met for the first time is believed: it stands in known_hosts; at once, and pinned; by the key that
 * it was given for its first contact (`FirstContact`); by what it has printed on its console.
 */
export type HostKeyPolicy = "known-hosts" | "accept-new" | "injected" | "console";

export interface SshSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Where step directories lie; relative to the home directory there, or absolute. */
  readonly workDirectory: string;
  /** Absolute paths of private keys, tried in order; empty: the agent, then the usual files of ~/.ssh. */
  readonly identities: readonly string[];
  /** The environment variable that holds the keys' passphrase, or null. */
  readonly passphraseEnv: string | null;
  /** The environment that may be read: passphrases, `HOME` and `SSH_AUTH_SOCK`. */
  readonly env: Environment;
  readonly agent: boolean;
  readonly jump: JumpHost | null;
  readonly hostKeys: HostKeyPolicy;
  /** Absolute path of the known_hosts file. */
  readonly knownHosts: string;
  /** Milliseconds until a machine must have answered. */
  readonly connectTimeoutMs: number;
  /** Milliseconds between two signs of life; three without an answer end the connection. 0: none. */
  readonly keepaliveMs: number;
  /** Keys of hosts that were there before, by address. */
  readonly pins: HostKeyPins;
  /** What is known of a machine that was launched; null for a host that was there before. */
  readonly contact: MachineContact | null;
  /** The private half of a key that is offered after all others, or null. */
  readonly ownKey: string | null;
}

/** A machine that was launched, as far as its host keys go. */
export interface MachineContact {
  /** The host keys that it was given for its first contact only. */
  readonly hostKeys: readonly string[];
  /** Keys of this machine, whatever its address: another one may have had that. */
  readonly pins: HostKeyPins;
  /** False for a command that changes nothing: it may meet a machine by its first key, and leaves that as it is. */
  readonly mayChange: boolean;
  /** Whether the first contact is finished: from then on its first keys are refused. */
  finished(): Promise<boolean>;
  finish(): Promise<void>;
  /**
   * Fingerprints of the keys that it has printed on its console, or null: not yet, or asked a moment ago. Throws
   * `HostKeyError` where nobody can be asked.
   */
  fingerprints(signal: AbortSignal): Promise<readonly string[] | null>;
}

export interface JumpHost {
  readonly host: string;
  readonly user: string;
  readonly port: number;
}

/** Host keys that were accepted on first contact. An address is `host`, or `[host]:port` for another port than 22. */
export interface HostKeyPins {
  /** Keys as `ssh-ed25519 AAAA…`. */
  find(address: string): Promise<string[]>;
  pin(address: string, key: string): Promise<void>;
}

/** The address as known_hosts writes it. */
export function hostAddress(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

export type Trust = Pick<SshSettings, "hostKeys" | "knownHosts" | "pins" | "contact">;
