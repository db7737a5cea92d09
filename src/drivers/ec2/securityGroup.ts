/**
 * The security group of a run, for machines whose plan names none. It allows SSH from the launcher, and all traffic
 * between the run's machines. There is one in each network that the run uses. It is found again by its tags.
 */
import type { IpPermission, SecurityGroup, Tag } from "@aws-sdk/client-ec2";

import type { Clock } from "../../time/clock.js";
import { DriverError, type DriverContext, type MachineMark, type MarkScope } from "../contract/driver.js";
import type { Ec2Calls } from "./calls.js";
import { isAmazon } from "./cloud.js";
import { isRefusedError } from "./errors.js";
import { TAG, type AddressChoice } from "./machines.js";
import { addressIn, localAddress, rangeOf, rangesOf } from "./sshSources.js";

const SSH_PORT = 22;
/** How long a new group may be hidden, and how long terminated machines may still use their group; in milliseconds. */
const HIDDEN_MS = 60_000;
const HELD_MS = 3 * 60_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;

const DUPLICATE_GROUP = "InvalidGroup.Duplicate";
const DUPLICATE_RULE = "InvalidPermission.Duplicate";
const NOT_FOUND = new Set(["InvalidGroup.NotFound", "InvalidGroupId.NotFound"]);
const IN_USE = new Set(["DependencyViolation", "InvalidGroup.InUse"]);

/** The machine that needs a group. */
export interface WantedGroup {
  readonly mark: MachineMark;
  /** The machine's subnet, or null for the default network. */
  readonly subnet: string | null;
  /** More tags for a group that is created. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** `public_address` of the service, if set. */
  readonly publicAddress?: boolean | undefined;
}

export interface GroupParts extends Pick<DriverContext, "cloud" | "options" | "warn"> {
  readonly calls: Ec2Calls;
  readonly clock: Clock;
  /** The host that answers the calls. */
  readonly host: () => string;
  /** The address from which this computer reaches another one. Default: from the routing table. */
  readonly addressTowards?: (address: string) => Promise<string>;
}

interface Network {
  readonly vpc: string;
  readonly range: string;
  /** Whether its machines get public addresses by default. */
  readonly isPublic: boolean;
}

export class SecurityGroups {
  private readonly networks = new Map<string | null, Promise<Network>>();
  /** By run, network and allowed sources. */
  private readonly groups = new Map<string, Promise<string>>();
  private readonly asked = new Map<string, Promise<string[]>>();

  constructor(private readonly parts: GroupParts) {}

  /**
   * The id of the run's group in the machine's network, with all its rules. Created if it does not exist. Idempotent,
   * and safe to call concurrently.
   */
  async groupFor(wish: WantedGroup, signal: AbortSignal): Promise<string> {
    const network = await this.network(wish.subnet, signal);
    const sources = await this.sources(wish, network, signal);
    return once(this.groups, JSON.stringify([wish.mark.installation, wish.mark.run, network.vpc, sources]), () =>
      this.ensure(wish, network.vpc, sources, signal),
    );
  }

  /**
   * Checks, without creating a group, whether one could be created.
   * @throws DriverError with what is missing.
   */
  async check(wish: WantedGroup, signal: AbortSignal): Promise<void> {
    await this.sources(wish, await this.network(wish.subnet, signal), signal);
  }

  /**
   * Adds this computer's address to the groups of a run, if they do not have it.
   * @param host a machine of the run, as it is reached
   * @returns what was added, or with `readOnly` what is missing; null if the run has no groups, or they have the address
   */
  async admit(
    { installation, run }: MarkScope & { readonly run: string },
    host: string,
    readOnly: boolean,
    signal: AbortSignal,
  ): Promise<string | null> {
    const words: string[] = [];
    for (const group of await this.parts.calls.groups(tagFilters(installation, run), signal)) {
      const { GroupId: id = "", Tags: tags = [], IpPermissions: rules = [] } = group;
      const allowed = sshRanges(rules);
      const isPublic = isAmazon(this.parts.host()) && (this.parts.options["address"] ?? null) !== "private";
      const missing = (await this.sourcesTowards(host, isPublic, signal)).filter((range) => !allowed.includes(range));
      if (missing.length === 0) continue;
      const runName = tags.find(({ Key }) => Key === TAG.runName)?.Value ?? run;
      if (!readOnly) for (const range of missing) await this.authorize(id, sshFrom(range, { runName }), signal);
      words.push(
        readOnly
          ? `security group ${id} allows SSH from ${allowed.join(", ") || "nowhere"}, and not from this computer (${missing.join(", ")}); repair, rerun, reload and boot --resume add it`
          : `security group ${id} of run ${runName} now also allows SSH from ${missing.join(", ")}; before: ${allowed.join(", ")}`,
      );
    }
    return words.length === 0 ? null : words.join("; ");
  }

  /** The runs of an installation that have groups. @returns their unique ids */
  async runs(installation: string, signal: AbortSignal): Promise<string[]> {
    const groups = await this.parts.calls.groups({ [`tag:${TAG.installation}`]: [installation] }, signal);
    const runs = groups.map(({ Tags = [] }) => Tags.find(({ Key }) => Key === TAG.run)?.Value ?? "");
    return [...new Set(runs.filter((run) => run !== ""))];
  }

  /**
   * Deletes the groups of a run without machines. Idempotent.
   * @throws DriverError if one is still in use.
   */
  async release({ installation, run }: MarkScope & { readonly run: string }, signal: AbortSignal): Promise<void> {
    const found = await this.parts.calls.groups(tagFilters(installation, run), signal).catch((error: unknown) => {
      // A plan that names its own groups needs no permission to list groups. That must not prevent the end of the run.
      if (codeOf(error) !== "UnauthorizedOperation") throw error;
      this.parts.warn(
        `cannot see whether bootlevel created security groups for run ${run}; ` +
          `if its plan names security_groups, there are none: ${(error as Error).message}`,
      );
      return [];
    });
    for (const { GroupId } of found) if (GroupId !== undefined) await this.delete(GroupId, signal);
    this.groups.clear();
  }

  private network(subnet: string | null, signal: AbortSignal): Promise<Network> {
    return once(this.networks, subnet, async () => {
      if (subnet !== null) {
        const [found] = await this.parts.calls.subnets([subnet], signal);
        if (found?.VpcId === undefined) throw new DriverError(`the cloud does not know subnet ${subnet}`);
        return { vpc: found.VpcId, range: found.CidrBlock ?? "", isPublic: found.MapPublicIpOnLaunch ?? true };
      }
      const found = await this.parts.calls.defaultVpc(signal);
      if (found?.VpcId === undefined)
        throw new DriverError("the region has no default network: write launch: { subnet: … } with one of your own");
      return { vpc: found.VpcId, range: found.CidrBlock ?? "", isPublic: true };
    });
  }

  /**
   * The allowed sources: from the plan, or else this computer's address as machines see it. Amazon's service returns
   * the public one. Inside a network, or towards a private cloud, the routing table has it.
   */
  private async sources({ publicAddress }: WantedGroup, network: Network, signal: AbortSignal): Promise<string[]> {
    const { cloud, options } = this.parts;
    const host = this.parts.host(); // the network was asked for before
    const address = (options["address"] ?? null) as AddressChoice;
    const isPublic = address === "public" || (address === null && (publicAddress ?? network.isPublic));
    const towards = isPublic ? host.replace(/^\[|\]$/g, "") : addressIn(network.range);
    try {
      return await this.sourcesTowards(towards, isPublic && isAmazon(host), signal);
    } catch (error) {
      if (signal.aborted || options["allow_ssh_from"] !== undefined) throw error;
      throw new DriverError(
        `no security_groups are named, and your address for the run's own group is not known: ` +
          `${(error as Error).message}; set allow_ssh_from in cloud "${cloud}" to the address that machines see`,
        { cause: error },
      );
    }
  }

  /** @param isPublic whether Amazon is asked for this computer's address; otherwise the routing table has it */
  private async sourcesTowards(host: string, isPublic: boolean, signal: AbortSignal): Promise<string[]> {
    const { options, addressTowards = localAddress } = this.parts;
    const written = (options["allow_ssh_from"] ?? (isPublic ? "auto" : undefined)) as
      string | readonly string[] | undefined;
    if (written === undefined) return [rangeOf(await addressTowards(host))];
    return once(this.asked, JSON.stringify(written), () => rangesOf(written, signal));
  }

  private async ensure(
    { mark, tags = {} }: WantedGroup,
    vpc: string,
    sources: readonly string[],
    signal: AbortSignal,
  ): Promise<string> {
    const known = await this.find(mark, vpc, signal);
    const id = known?.GroupId ?? (await this.create(mark, tags, vpc, signal));
    // The launcher that created it may have died before all rules were added.
    const present = known?.IpPermissions ?? [];
    const before = sshRanges(present);
    const added = sources.filter((range) => !before.includes(range));
    for (const range of added) await this.authorize(id, sshFrom(range, mark), signal);
    if (!letsItselfIn(present, id))
      await this.authorize(
        id,
        { IpProtocol: "-1", UserIdGroupPairs: [{ GroupId: id, Description: "machines of this run" }] },
        signal,
      );
    if (added.length > 0 && before.length > 0)
      this.parts.warn(
        `security group ${id} of run ${mark.runName} now also allows SSH from ${added.join(", ")}; ` +
          `before: ${before.join(", ")}`,
      );
    return id;
  }

  private async find(
    { installation, run }: MachineMark,
    vpc: string,
    signal: AbortSignal,
  ): Promise<SecurityGroup | null> {
    const [found = null] = await this.parts.calls.groups({ ...tagFilters(installation, run), "vpc-id": [vpc] }, signal);
    return found;
  }

  private async create(
    mark: MachineMark,
    own: Readonly<Record<string, string>>,
    vpc: string,
    signal: AbortSignal,
  ): Promise<string> {
    const name = `bootlevel-${mark.run}`;
    const tags: Tag[] = Object.entries({
      ...own,
      Name: mark.runName,
      [TAG.installation]: mark.installation,
      [TAG.run]: mark.run,
      [TAG.runName]: mark.runName,
    }).map(([Key, Value]) => ({ Key, Value }));
    try {
      return await this.parts.calls.createGroup(
        { name, description: `Made by bootlevel for run ${mark.runName}; goes with it`, vpc, tags },
        signal,
      );
    } catch (error) {
      if (codeOf(error) !== DUPLICATE_GROUP) throw error;
      // Another launcher was faster, or the answer to an earlier call was lost. The cloud may show the group with a
      // delay.
      const made = await this.untilShown(() => this.find(mark, vpc, signal), signal);
      if (made?.GroupId !== undefined) return made.GroupId;
      throw new DriverError(
        `network ${vpc} has a security group "${name}" that does not carry this run's tags: delete or rename it`,
        { cause: error },
      );
    }
  }

  private async authorize(group: string, rule: IpPermission, signal: AbortSignal): Promise<void> {
    const done = await this.untilShown(async () => {
      try {
        await this.parts.calls.authorize(group, rule, signal);
      } catch (error) {
        if (NOT_FOUND.has(codeOf(error))) return null;
        if (codeOf(error) !== DUPLICATE_RULE) throw error;
      }
      return true;
    }, signal);
    if (done === null) throw new DriverError(`security group ${group} is gone: repeat the command to create a new one`);
  }

  private async delete(group: string, signal: AbortSignal): Promise<void> {
    let words = "";
    const done = await this.repeated(
      HELD_MS,
      async () => {
        try {
          await this.parts.calls.deleteGroup(group, signal);
        } catch (error) {
          if (IN_USE.has(codeOf(error))) {
            words = (error as Error).message;
            return null;
          }
          if (!NOT_FOUND.has(codeOf(error))) throw error;
        }
        return true;
      },
      signal,
    );
    if (done === null)
      throw new DriverError(
        `security group ${group} is still in use (${words}): ` +
          "detach it from its network interfaces, or delete it yourself, and repeat the command",
      );
  }

  private untilShown<T>(look: () => Promise<T | null>, signal: AbortSignal): Promise<T | null> {
    return this.repeated(HIDDEN_MS, look, signal);
  }

  /** Repeats a call until it returns a value. Null after the timeout. */
  private async repeated<T>(ms: number, call: () => Promise<T | null>, signal: AbortSignal): Promise<T | null> {
    const { clock } = this.parts;
    const end = clock.now() + ms;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
      const result = await call();
      if (result !== null || clock.now() >= end) return result;
      await clock.sleep(pause, signal);
    }
  }
}

/** Shares one call among concurrent callers. A failure is not cached. */
function once<K, T>(known: Map<K, Promise<T>>, key: K, ask: () => Promise<T>): Promise<T> {
  const there = known.get(key);
  if (there !== undefined) return there;
  const asked = ask();
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}

function tagFilters(installation: string, run: string): Record<string, string[]> {
  return { [`tag:${TAG.installation}`]: [installation], [`tag:${TAG.run}`]: [run] };
}

function sshRanges(rules: readonly IpPermission[]): string[] {
  const ssh = rules.filter(
    ({ IpProtocol, FromPort, ToPort }) => IpProtocol === "tcp" && FromPort === SSH_PORT && ToPort === SSH_PORT,
  );
  return ssh.flatMap(({ IpRanges = [], Ipv6Ranges = [] }) => [
    ...IpRanges.map(({ CidrIp }) => CidrIp ?? ""),
    ...Ipv6Ranges.map(({ CidrIpv6 }) => CidrIpv6 ?? ""),
  ]);
}

function sshFrom(range: string, { runName }: Pick<MachineMark, "runName">): IpPermission {
  const Description = `SSH for the launcher of ${runName}`;
  return {
    IpProtocol: "tcp",
    FromPort: SSH_PORT,
    ToPort: SSH_PORT,
    ...(range.includes(":")
      ? { Ipv6Ranges: [{ CidrIpv6: range, Description }] }
      : { IpRanges: [{ CidrIp: range, Description }] }),
  };
}

function letsItselfIn(rules: readonly IpPermission[], group: string): boolean {
  return rules.some(
    ({ IpProtocol, UserIdGroupPairs }) =>
      IpProtocol === "-1" && (UserIdGroupPairs ?? []).some(({ GroupId }) => GroupId === group),
  );
}

function codeOf(error: unknown): string {
  return isRefusedError(error) ? error.refusal : "";
}
