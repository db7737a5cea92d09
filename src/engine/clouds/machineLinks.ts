/** One connection a machine, kept for all steps of all services on it. */
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { Driver, MachineAccess } from "../../drivers/contract/driver.js";
import type { MachineConnection } from "../../machines/contract/connection.js";
import { createLink, type ClosableLink } from "../../machines/contract/link.js";
import { launcherEnvironment, machineEnvironment } from "../../machines/local/environment.js";
import { killTagged } from "../../machines/local/taggedProcesses.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { openLocal } from "../../machines/local/localConnection.js";
import type { SshSpec } from "../../plan/launchPlan/launchPlan.js";
import type { RunWriter } from "../../state/sqlite/runWriter.js";
import type { Store } from "../../state/sqlite/store.js";
import { explainRefusal, machineContact, ownKey, type LaunchedHere } from "./machineContacts.js";

/** Access by a shell of the machine's. */
export type ShellAccess = Exclude<MachineAccess, { readonly kind: "driver" }>;

type SshAccess = MachineAccess & { readonly kind: "ssh" };

export interface MachineLinksParts {
  readonly store: Store;
  /** Null when nothing may be pinned: a host whose key nobody has pinned is refused then. */
  readonly writer: RunWriter | null;
  readonly run: { readonly id: number; readonly uid: string };
  readonly driver: (cloud: string) => Promise<Driver>;
  readonly warn: (message: string) => void;
}

export class MachineLinks {
  private readonly links = new Map<string, ClosableLink>();
  /** Aborted when the links are closed, so that no attempt to connect outlives the command. */
  private readonly closing = new AbortController();

  constructor(private readonly parts: MachineLinksParts) {
    // Every machine that is being reached listens to it.
    setMaxListeners(0, this.closing.signal);
  }

  /**
   * The link to a machine. Connects when somebody asks it for a connection.
   * @param launched which machine of a cloud it is; null for a host.
   */
  to(access: ShellAccess, ssh: SshSpec, launched: LaunchedHere | null): ClosableLink {
    return access.kind === "local" ? this.local(access) : this.ssh(access, ssh, launched);
  }

  /**
   * Lets go of a machine that is about to be destroyed: what is being cleaned up on it is waited for, then its
   * connection is closed.
   */
  async release(access: ShellAccess, ssh: SshSpec): Promise<void> {
    const key = linkKey(access, ssh);
    await this.links.get(key)?.close();
    this.links.delete(key);
  }

  /** The computer that launches, for programs with `where: launcher`. */
  launcher(): ClosableLink {
    const directory = this.launcherDirectory;
    const brand = launcherBrand(this.parts.run.uid);
    return this.keep("launcher", async () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return openLocal({
        directory,
        workDirectory: directory,
        env: launcherEnvironment(brand, this.parts.store.env),
        brand,
      });
    });
  }

  /** Takes away what programs with `where: launcher` have left on this computer. */
  async clearLauncher(graceMs: number): Promise<void> {
    await this.links.get("launcher")?.close();
    this.links.delete("launcher");
    await killTagged(new Set([launcherBrand(this.parts.run.uid)]), { graceMs });
    await removeMachineDirectory(this.launcherDirectory, this.launcherDirectory);
  }

  private get launcherDirectory(): string {
    return join(this.parts.store.home.runDirectory(this.parts.run.uid), "launcher");
  }

  /** Closes every connection; what is cleaned up on machines is waited for. */
  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.links.values()].map((link) => link.close()));
    this.links.clear();
  }

  private local(access: MachineAccess & { kind: "local" }): ClosableLink {
    const { directory, brand } = access;
    return this.keep(linkKey(access, null), async () =>
      openLocal({
        directory: join(directory, "home"),
        workDirectory: join(directory, "work"),
        env: machineEnvironment(directory, brand, this.parts.store.env),
        brand,
      }),
    );
  }

  private ssh(access: SshAccess, ssh: SshSpec, launched: LaunchedHere | null): ClosableLink {
    const { store, run, warn } = this.parts;
    const contact =
      access.firstContact === undefined || launched === null
        ? null
        : machineContact(this.parts, access.firstContact, launched);
    return this.keep(linkKey(access, ssh), async () => {
      const { connectSsh } = await import("../../machines/ssh/sshConnection.js");
      // A key that was made for the run's machines is shown to no other host.
      const own = contact === null ? null : await ownKey(store, run);
      const settings = {
        ...ssh,
        ...sshTarget(access, ssh),
        workDirectory: `.bootlevel/runs/${run.uid}`,
        pins: this.pins(),
        contact,
        ownKey: own,
        env: store.env,
      };
      try {
        return await connectSsh(settings, { signal: this.closing.signal, onWarning: warn });
      } catch (error) {
        throw launched === null ? error : await explainRefusal(store, error, launched);
      }
    });
  }

  private pins() {
    const { store, writer } = this.parts;
    return {
      find: (address: string) => store.hostKeys("", address),
      pin: async (address: string, key: string) => {
        if (writer === null)
          throw new Error(`the host key of ${address} was never pinned by a boot, and this command writes nothing`);
        await writer.write({ kind: "host-key", scope: "", address, key });
      },
    };
  }

  private keep(key: string, connect: () => Promise<MachineConnection>): ClosableLink {
    const link = this.links.get(key) ?? createLink(connect);
    this.links.set(key, link);
    return link;
  }
}

function linkKey(access: ShellAccess, ssh: SshSpec | null): string {
  return access.kind === "local"
    ? access.directory
    : JSON.stringify([sshTarget(access, ssh), ssh?.jump, access.firstContact?.machine]);
}

/** What the driver knows of the host goes before what the plan says for all. */
function sshTarget(access: SshAccess, ssh: SshSpec | null): { host: string; port: number; user: string } {
  return { host: access.host, port: access.port ?? ssh?.port ?? 22, user: access.user ?? ssh?.user ?? "" };
}

/**
 * The brand of what a run's programs leave running on the launcher itself: the same in every command, from the run's
 * unique id.
 */
function launcherBrand(uid: string): string {
  return String(2 ** 47 + createHash("sha256").update(uid).digest().readUIntBE(0, 5));
}
