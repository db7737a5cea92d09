/**
 * Hosts that exist already: launching is taking a free one from the cloud's pool, terminating is giving it back. A host serves one machine
 * at a time, over all runs of this installation.
 */
import { join } from "node:path";

import { Claims } from "../claims.js";
import { DriverError, type Driver, type DriverContext, type DriverDefinition, type LaunchOutcome, type LaunchRequest, type MachineMark, type MachineStatus, type TerminateOutcome } from "../driver.js";

interface PoolHost {
  readonly host: string;
  readonly private_host?: string;
  readonly port?: number;
  readonly user?: string;
}

interface Tenant {
  readonly key: string;
  readonly mark: MachineMark;
  readonly host: PoolHost;
}

class ExistingDriver implements Driver {
  private readonly claims: Claims<Tenant>;
  private readonly pool: readonly PoolHost[];

  constructor(private readonly context: DriverContext) {
    this.claims = new Claims(join(context.stateDirectory, "claims"));
    const hosts = (context.options["hosts"] ?? []) as readonly (string | PoolHost)[];
    this.pool = hosts.map((host) => (typeof host === "string" ? { host } : host));
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const known = new Map(this.claims.all().map(({ name, holder }) => [holder.key, { id: name, tenant: holder }]));
    return requests.map((request) => {
      const mine = known.get(request.key) ?? (signal.aborted ? null : this.claim(request));
      if (mine) return { key: request.key, kind: "launched", machine: status(mine.id, mine.tenant) };
      return { key: request.key, kind: "failed", error: new DriverError(signal.aborted ? "interrupted" : this.exhausted(request)), leftover: null };
    });
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    return ids.map((id) => {
      const tenant = this.claims.holder(id);
      return tenant ? status(id, tenant) : { id, key: null, state: "terminated", host: null, privateHost: null, hostname: null, access: null, reason: "the host was given back" };
    });
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    return ids.map((id) => {
      this.claims.release(id);
      return { id, kind: "terminated" };
    });
  }

  async list(run: string): Promise<MachineStatus[]> {
    return this.claims.all().filter(({ holder }) => holder.mark.run === run).map(({ name, holder }) => status(name, holder));
  }

  private claim(request: LaunchRequest): { id: string; tenant: Tenant } | null {
    for (const host of this.pool) {
      const id = host.port === undefined ? host.host : `${host.host}:${host.port}`;
      const tenant = { key: request.key, mark: request.mark, host };
      if (this.claims.take(id, tenant)) return { id, tenant };
    }
    return null;
  }

  private exhausted(request: LaunchRequest): string {
    const holders = this.claims.all().map(({ name, holder }) => `${name} by ${holder.mark.runName}/${holder.mark.service}`);
    const shown = holders.slice(0, 5).join(", ") + (holders.length > 5 ? ` and ${holders.length - 5} more` : "");
    return `no free host for ${request.mark.service} in the ${this.pool.length} hosts of cloud "${this.context.cloud}"; taken: ${shown || "none"}`;
  }
}

function status(id: string, { key, host }: Tenant): MachineStatus {
  const access = { kind: "ssh", host: host.host, port: host.port ?? null, user: host.user ?? null } as const;
  return { id, key, state: "running", host: host.host, privateHost: host.private_host ?? host.host, hostname: host.host, access, reason: "" };
}

const definition: DriverDefinition = {
  name: "existing",
  cloudSchema: null, // described in the launch plan's own schema, so that editors know it
  launchSchema: null,
  sshDefaults: { hostKeys: "known-hosts", connectTimeoutMs: 30_000 },
  create: (context) => new ExistingDriver(context),
};

export default definition;
