/**
 * Existing hosts. A launch takes a free host from the cloud's pool, and a terminate returns it. A host serves one
 * machine at a time, across all runs of this installation.
 */
import { isBootlevelError } from "../../errors/bootlevelError.js";
import { Claims } from "../shared/claims.js";
import {
  DriverError,
  isInScope,
  type Driver,
  type DriverContext,
  type DriverDefinition,
  type LaunchOutcome,
  type LaunchRequest,
  type MachineMark,
  type MachineStatus,
  type MarkScope,
  type TerminateOutcome,
} from "../contract/driver.js";
import { missingMachine } from "../shared/missingMachine.js";

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

const NOBODY: MachineMark = { installation: "", run: "", runName: "", service: "" };

class ExistingDriver implements Driver {
  readonly lends = true;
  private readonly claims: Claims<Tenant>;
  private readonly pool: readonly PoolHost[];

  constructor(private readonly context: DriverContext) {
    this.claims = new Claims(context.state, context.warn);
    const hosts = (context.options["hosts"] ?? []) as readonly (string | PoolHost)[];
    this.pool = hosts.map((host) => (typeof host === "string" ? { host } : host));
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const damaged = new Map<string, Error>();
    const claims = await this.claims.all(damaged);
    for (const [name, error] of damaged) this.claims.report(name, error);
    const known = new Map(claims.map(({ holder }) => [holder.key, holder]));
    const taken = new Set([...claims.map(({ name }) => name), ...damaged.keys()]);
    // Hosts that are known to be taken are not tried again by every request. In a pool of hundreds, that would be most
    // of a boot.
    const free = new Map(this.pool.map((host) => [hostName(host), host] as const).filter(([name]) => !taken.has(name)));
    const outcomes: LaunchOutcome[] = [];
    // One after the other: the first requests get the first hosts.
    for (const request of requests) {
      const mine = known.get(request.key) ?? (signal.aborted ? null : await this.claim(request, free));
      if (mine) outcomes.push({ key: request.key, kind: "launched", machine: status(mine) });
      else {
        const error = new DriverError(signal.aborted ? "interrupted" : await this.exhausted(request));
        outcomes.push({ key: request.key, kind: "failed", error, leftover: null });
      }
    }
    return outcomes;
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    return Promise.all(
      ids.map(async (id) => {
        try {
          const tenant = await this.tenant(id);
          return tenant ? status(tenant) : missingMachine(id, "terminated", "the host was given back");
        } catch (error) {
          return this.behindDamagedClaim(id, error);
        }
      }),
    );
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    return Promise.all(
      ids.map(async (id): Promise<TerminateOutcome> => {
        try {
          // If another run has taken the host since then, that run must return it.
          const tenant = await this.tenant(id);
          if (tenant) await this.claims.release(hostName(tenant.host), tenant);
          return { id, kind: "terminated" };
        } catch (error) {
          return { id, kind: "failed", error: withRemedy(error) };
        }
      }),
    );
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    const claims = await this.claims.all();
    return claims.filter(({ holder }) => isInScope(holder.mark, scope)).map(({ holder }) => status(holder));
  }

  /**
   * Claims a host. One that failed for the service before is taken only if no other is free.
   * @param free hosts that are tried are removed from it
   */
  private async claim(request: LaunchRequest, free: Map<string, PoolHost>): Promise<Tenant | null> {
    const avoided = new Set(request.avoid.map((id) => id.split("/", 1)[0]));
    for (const last of [false, true]) {
      for (const [name, host] of free) {
        if (avoided.has(name) !== last) continue;
        const tenant = { key: request.key, mark: request.mark, host };
        free.delete(name);
        if (await this.claims.take(name, tenant)) return tenant;
      }
    }
    return null;
  }

  /** With its claim damaged, a host went to nobody else: it is still this machine's, as far as the plan names it. */
  private behindDamagedClaim(id: string, error: unknown): MachineStatus {
    const [name = "", key = ""] = id.split("/", 2);
    const host = this.pool.find((one) => hostName(one) === name);
    if (host === undefined || !isBootlevelError(error, "DAMAGED_FILE")) throw error;
    return { ...status({ key, mark: NOBODY, host }), mark: null };
  }

  /** The present user of a machine's host, if the host still serves that machine. */
  private async tenant(id: string): Promise<Tenant | null> {
    const tenant = await this.claims.holder(id.split("/", 1)[0] as string);
    return tenant && machineId(tenant) === id ? tenant : null;
  }

  private async exhausted(request: LaunchRequest): Promise<string> {
    const own = new Set(this.pool.map(hostName));
    const damaged = new Map<string, Error>();
    const claims = await this.claims.all(damaged);
    const holders = [
      ...claims.map(({ name, holder }) => ({ name, by: `${holder.mark.runName}/${holder.mark.service}` })),
      ...[...damaged.keys()].map((name) => ({ name, by: "a damaged claim" })),
    ]
      .filter(({ name }) => own.has(name))
      .map(({ name, by }) => `${name} by ${by}`);
    const shown = holders.slice(0, 5).join(", ") + (holders.length > 5 ? ` and ${holders.length - 5} more` : "");
    return (
      `no free host for ${request.mark.service} among the ${this.pool.length} ` +
      `of cloud "${this.context.cloud}"; taken: ${shown || "none"}`
    );
  }
}

/** The error with its remedy, where only the message is shown. */
function withRemedy(error: unknown): DriverError {
  const { message } = error as Error;
  return new DriverError(message, { cause: error, remedy: isBootlevelError(error) ? error.remedy : "" });
}

/** The canonical name of a host, with or without its default port. */
function hostName({ host, port }: PoolHost): string {
  return port === undefined || port === 22 ? host : `${host}:${port}`;
}

/** A host serves many machines over time, so a machine's id cannot be the host's name alone. */
function machineId({ host, key }: Tenant): string {
  return `${hostName(host)}/${key}`;
}

function status(tenant: Tenant): MachineStatus {
  const { key, host } = tenant;
  const id = machineId(tenant);
  const access = {
    kind: "ssh",
    host: host.host,
    port: host.port ?? null,
    user: host.user ?? null,
    exclusive: true,
  } as const;
  return {
    id,
    key,
    mark: tenant.mark,
    state: "running",
    host: host.host,
    privateHost: host.private_host ?? host.host,
    hostname: host.host,
    access,
    reason: "",
  };
}

const definition: DriverDefinition = {
  name: "existing",
  cloudSchema: null, // described in the launch plan's own schema, so that editors know it
  launchSchema: null,
  sshDefaults: { hostKeys: "known-hosts", connectTimeoutMs: 30_000 },
  create: (context) => new ExistingDriver(context),
};

export default definition;
