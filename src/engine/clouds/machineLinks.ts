/** A run's links to its machines: one per machine, for all steps of all services on it. */
import { createHash } from "node:crypto";

import type { Driver, MachineAccess } from "../../drivers/contract/driver.js";
import { HostKeyError, type MachineConnection } from "../../machines/contract/connection.js";
import type { ClosableLink } from "../../machines/contract/link.js";
import { launcherEnvironment } from "../../machines/local/environment.js";
import { killTagged } from "../../machines/local/taggedProcesses.js";
import { openLocal } from "../../machines/local/localConnection.js";
import type { HostKeyPins } from "../../machines/ssh/settings.js";
import type { SshSpec } from "../../plan/launchPlan/launchPlan.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { Store } from "../../state/contract/store.js";
import type { Connect, ConnectionKey, ConnectionRegistry } from "./connectionRegistry.js";
import { Admissions } from "./admission.js";
import { connectByDriver, type DriverAccess } from "./driverConnection.js";
import { explainRefusal, machineContact, ownKey, type LaunchedHere } from "./machineContacts.js";
import { makeFolder, removeStepFolder } from "./launcherFolder.js";
import type { RegisteredLink } from "./registeredLink.js";

type SshAccess = MachineAccess & { readonly kind: "ssh" };

/** The user of a connection: what it may pin, ask and report. */
export interface ConnectionUser {
  readonly store: Store;
  /** Null if nothing may be pinned: a host without a pinned key is refused then. */
  readonly writer: RunWriter | null;
  readonly driver: (cloud: string) => Promise<Driver>;
  readonly warn: (message: string) => void;
}

export interface MachineLinksParts extends ConnectionUser {
  readonly run: { readonly id: number; readonly uid: string };
  /** The registry of connections, which may outlive these links. */
  readonly connections: ConnectionRegistry<ConnectionUser>;
}

/**
 * How long a machine that has let a launcher in before may take to answer, in milliseconds, while nobody waits for it to
 * boot.
 */
const MET_MS = 20_000;

interface Kept {
  readonly machine: string;
  readonly link: RegisteredLink;
}

export class MachineLinks {
  private readonly links = new Map<string, Kept>();
  /** Closed links do not connect again: no attempt to connect outlives the command. */
  private closing = false;
  /** Work that does not wait for machines to boot. */
  private impatience = 0;
  private readonly admissions: Admissions;

  constructor(private readonly parts: MachineLinksParts) {
    this.admissions = new Admissions(parts);
  }

  /**
   * The link to a machine. It connects on first use.
   * @param launched the machine and its cloud; null for a host.
   * @param met whether a launcher was ever connected to it.
   */
  to(access: MachineAccess, ssh: SshSpec, launched: LaunchedHere | null, met: boolean): ClosableLink {
    const acquaintance = { met, key: launched?.key ?? null };
    return access.kind === "driver"
      ? this.driver(access, ssh, acquaintance)
      : this.ssh(access, ssh, launched, acquaintance);
  }

  /**
   * Does work that looks at machines or takes them down. A machine that has answered before gets a short time instead of
   * its `connect_timeout`, which is for machines that boot.
   */
  async impatiently<T>(work: () => Promise<T>): Promise<T> {
    this.impatience += 1;
    try {
      return await work();
    } finally {
      this.impatience -= 1;
    }
  }

  /**
   * Lets go of a machine that is about to be destroyed: what is being cleaned up on it is waited for, then its
   * connection is closed.
   */
  async release(access: MachineAccess, ssh: SshSpec): Promise<void> {
    await this.discard(this.machineKey(access, ssh));
  }

  /** The launcher itself, for programs with `where: launcher`. */
  launcher(): ClosableLink {
    const directory = this.launcherDirectory;
    const tag = launcherTag(this.parts.run.uid);
    return this.keep({ machine: this.launcherKey, settings: tag }, async () => {
      makeFolder(this.parts.store, directory);
      return openLocal({
        directory,
        workDirectory: directory,
        env: launcherEnvironment(tag, this.parts.store.env),
        tag,
      });
    });
  }

  /**
   * Ends processes that programs with `where: launcher` left on this computer, and removes their directory. @param
   * graceMs milliseconds between SIGTERM and SIGKILL
   */
  async clearLauncher(graceMs: number): Promise<void> {
    await this.discard(this.launcherKey);
    await killTagged(new Set([launcherTag(this.parts.run.uid)]), { graceMs });
    await removeStepFolder(this.parts.store, this.launcherDirectory);
  }

  private get launcherDirectory(): string {
    return this.parts.store.folders.launcher(this.parts.run.uid);
  }

  /** Closes every link with its channels, after cleanup on the machines. */
  async close(): Promise<void> {
    this.closing = true;
    const links = [...this.links.values()].map(({ link }) => link);
    for (const link of links) link.abandon();
    await Promise.all(links.map((link) => link.close()));
    this.links.clear();
  }

  /** The machine's driver makes the connection, for as long as its service's `ssh.connect_timeout`. */
  private driver(access: DriverAccess, ssh: SshSpec, acquaintance: Acquaintance): ClosableLink {
    const settings = JSON.stringify([access.data ?? null, ssh.connectTimeoutMs]);
    return this.keep({ machine: this.machineKey(access, ssh), settings }, async (signal, user) => {
      const timeoutMs = this.timeoutMs(ssh, acquaintance);
      const connection = await connectByDriver(await user().driver(access.cloud), access, { signal, timeoutMs });
      meet(user(), acquaintance);
      return connection;
    });
  }

  private timeoutMs({ connectTimeoutMs }: SshSpec, { met }: Acquaintance): number {
    return met && this.impatience > 0 ? Math.min(connectTimeoutMs, MET_MS) : connectTimeoutMs;
  }

  private ssh(
    access: SshAccess,
    ssh: SshSpec,
    launched: LaunchedHere | null,
    acquaintance: Acquaintance,
  ): ClosableLink {
    const { run } = this.parts;
    const { firstContact } = access;
    return this.keep(
      { machine: this.machineKey(access, ssh), settings: loginSettings(ssh) },
      async (signal, user): Promise<MachineConnection> => {
        const { connectSsh } = await import("../../machines/ssh/sshConnection.js");
        const { store } = user();
        const contact =
          firstContact === undefined || launched === null ? null : machineContact(user, firstContact, launched);
        // The run's own key is offered to its machines only.
        const own = contact === null ? null : await ownKey(store, run);
        const settings = {
          ...ssh,
          ...sshTarget(access, ssh),
          workDirectory: `.bootlevel/runs/${run.uid}`,
          pins: pinsOf(user),
          contact,
          ownKey: own,
          machineId: launched?.id ?? null,
          env: store.env,
          connectTimeoutMs: this.timeoutMs(ssh, acquaintance),
        };
        try {
          const connecting = connectSsh(settings, {
            signal,
            onWarning: (message) => {
              user().warn(message);
            },
          });
          const connection =
            launched === null || !acquaintance.met || ssh.jump !== null || (ssh.proxyCommand ?? null) !== null
              ? await connecting
              : await this.admissions.whileConnecting(
                  { cloud: launched.cloud, host: settings.host },
                  connecting,
                  signal,
                );
          meet(user(), acquaintance);
          return connection;
        } catch (error) {
          throw launched === null ? error : await explainRefusal(store, error, launched);
        }
      },
    );
  }

  private keep(key: ConnectionKey, connect: Connect<ConnectionUser>): ClosableLink {
    const id = JSON.stringify([key.machine, key.settings]);
    const known = this.links.get(id);
    // Another user of the session may have discarded the machine.
    if (known !== undefined && !known.link.isClosed) return known.link;
    const link = this.parts.connections.take(key, this.parts, connect);
    if (this.closing) link.abandon();
    this.links.set(id, { machine: key.machine, link });
    return link;
  }

  private async discard(machine: string): Promise<void> {
    await this.parts.connections.discard(machine);
    for (const [id, kept] of this.links) if (kept.machine === machine && kept.link.isClosed) this.links.delete(id);
  }

  private get launcherKey(): string {
    return JSON.stringify([this.parts.run.uid, "launcher"]);
  }

  /** The machine as this run knows it: its directories there are the run's own. */
  private machineKey(access: MachineAccess, ssh: SshSpec): string {
    const { uid } = this.parts.run;
    return access.kind === "driver"
      ? JSON.stringify([uid, access.cloud, access.id])
      : JSON.stringify([uid, sshTarget(access, ssh), ssh.jump, ssh.proxyCommand, access.firstContact?.machine]);
  }
}

/** Whether a launcher was ever connected to a machine; `key` is the machine's in the record, null for a host. */
interface Acquaintance {
  met: boolean;
  readonly key: string | null;
}

/** Records the first connection to a machine. Nothing waits for the write; if it fails, so does the next one. */
function meet({ writer }: ConnectionUser, acquaintance: Acquaintance): void {
  const { met, key } = acquaintance;
  acquaintance.met = true;
  if (!met && key !== null && writer !== null) writer.expect(writer.write({ kind: "met", key }));
}

function pinsOf(user: () => ConnectionUser): HostKeyPins {
  return {
    find: (address) => user().store.hostKeys("", address),
    pin: async (address, key) => {
      const { writer } = user();
      if (writer === null)
        throw new HostKeyError(
          `the host key of ${address} was never pinned by a boot, and this command changes nothing; ` +
            "add it to known_hosts, or run boot --resume",
          "",
          [],
        );
      await writer.write({ kind: "host-key", scope: "", address, key });
    },
  };
}

/** The settings for login and host keys: a changed plan with other settings gets another connection. */
function loginSettings({ identities, agent, passphraseEnv, hostKeys, knownHosts }: SshSpec): string {
  return JSON.stringify([identities, agent, passphraseEnv, hostKeys, knownHosts]);
}

/** What the driver knows of the host goes before what the plan says for all. */
function sshTarget(access: SshAccess, ssh: SshSpec): { host: string; port: number; user: string } {
  return { host: access.host, port: access.port ?? ssh.port, user: access.user ?? ssh.user };
}

/**
 * The tag of what a run's programs leave running on the launcher itself: the same in every command, from the run's
 * unique id.
 */
function launcherTag(uid: string): string {
  return String(2 ** 47 + createHash("sha256").update(uid).digest().readUIntBE(0, 5));
}
