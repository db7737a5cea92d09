/**
 * Elastic IPs of machines whose `launch` wants one. A replica has one address for as long as its run: a machine that
 * replaces another gets the same. Addresses are found again by their tags, which they get as they are allocated.
 */
import type { Address } from "@aws-sdk/client-ec2";

import { DriverError, type MachineMark, type MachineStatus, type MarkScope } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import { isRefusedError } from "./errors.js";
import { runTags, TAG, tagList, type AddressChoice } from "./machines.js";

/** The machine is not in a state in which it can have an address, or is not seen yet: it is tried again. */
const NOT_YET = new Set(["IncorrectInstanceState", "InvalidInstanceID", "InvalidInstanceID.NotFound"]);
const GONE = new Set(["InvalidAllocationID.NotFound", "InvalidAddress.NotFound", "InvalidAssociationID.NotFound"]);

export interface ElasticParts {
  readonly api: Ec2Api;
  readonly address: AddressChoice;
  /** Nothing is allocated or associated. */
  readonly readOnly: boolean;
}

type RunScope = MarkScope & { readonly run: string };

export class ElasticAddresses {
  /** What is being done for a replica: two looks at a machine give it one address. */
  private readonly giving = new Map<string, Promise<string | null>>();
  /** What this process has allocated, by replica: the cloud may show it late. */
  private readonly allocated = new Map<string, Address>();

  constructor(private readonly parts: ElasticParts) {}

  /**
   * Gives running machines their addresses. One that has none yet is not reachable for anybody; one that cannot get it
   * says why.
   * @param wants whether a machine is to have one, by its id
   */
  async settle(
    machines: readonly MachineStatus[],
    wants: (id: string) => boolean,
    signal: AbortSignal,
  ): Promise<MachineStatus[]> {
    const known = new Map<string, Promise<Address[]>>();
    return Promise.all(
      machines.map(async (machine) => {
        const { mark, state } = machine;
        if (!wants(machine.id) || mark === null || state !== "running" || this.parts.readOnly) return machine;
        const scope = { installation: mark.installation, run: mark.run };
        const listed = known.get(mark.run) ?? this.list(scope, signal);
        known.set(mark.run, listed);
        try {
          return withHost(machine, await this.addressOf(machine, await listed, signal), this.parts.address);
        } catch (error) {
          // The others have theirs, and a machine that is to be destroyed needs none.
          if (!isRefusedError(error)) throw error;
          return { ...machine, host: null, access: null, noAddress: `it gets no Elastic IP: ${error.message}` };
        }
      }),
    );
  }

  /** Releases the addresses of a run. Safe to repeat. */
  async release(scope: RunScope, signal: AbortSignal): Promise<void> {
    for (const replica of [...this.allocated.keys()])
      if (replica.startsWith(`${scope.run} `)) this.allocated.delete(replica);
    for (const { AllocationId, AssociationId } of await this.listIfAllowed(scope, signal)) {
      if (AssociationId !== undefined)
        await unlessGone(
          this.parts.api.call(
            "DisassociateAddress",
            "change",
            ({ client, sdk }) => client.send(new sdk.DisassociateAddressCommand({ AssociationId })),
            signal,
          ),
        );
      if (AllocationId !== undefined)
        await unlessGone(
          this.parts.api.call(
            "ReleaseAddress",
            "change",
            ({ client, sdk }) => client.send(new sdk.ReleaseAddressCommand({ AllocationId })),
            signal,
          ),
        );
    }
  }

  /** The runs of an installation that have addresses. @returns their unique ids */
  async runs(installation: string, signal: AbortSignal): Promise<string[]> {
    const found = await this.listIfAllowed({ installation, run: null }, signal);
    return [...new Set(found.flatMap((address) => tagOf(address, TAG.run) ?? []))];
  }

  /** The address that the machine has, or gets now; null if it cannot get it yet. */
  private addressOf(machine: MachineStatus, listed: readonly Address[], signal: AbortSignal): Promise<string | null> {
    const { mark, id } = machine;
    if (mark === null) return Promise.resolve(null);
    const own = listed.find((address) => tagOf(address, TAG.service) === mark.service);
    if (own?.InstanceId === id) return Promise.resolve(own.PublicIp ?? null);
    const replica = replicaOf(mark);
    const given = this.giving.get(replica) ?? this.give(machine, own ?? this.allocated.get(replica) ?? null, signal);
    this.giving.set(replica, given);
    return given.finally(() => this.giving.delete(replica));
  }

  private async give({ id, mark }: MachineStatus, own: Address | null, signal: AbortSignal): Promise<string | null> {
    const { api } = this.parts;
    if (mark === null) return null;
    const allocated =
      own ??
      (await api.call(
        "AllocateAddress",
        "change",
        ({ client, sdk }) =>
          client.send(
            new sdk.AllocateAddressCommand({
              Domain: "vpc",
              TagSpecifications: [
                {
                  ResourceType: "elastic-ip",
                  Tags: tagList({
                    ...runTags(mark),
                    [TAG.service]: mark.service,
                    Name: `${mark.runName}/${mark.service}`.slice(0, 256),
                  }),
                },
              ],
            }),
          ),
        signal,
      ));
    const { AllocationId, PublicIp } = allocated;
    this.allocated.set(replicaOf(mark), allocated);
    if (AllocationId === undefined || PublicIp === undefined)
      throw new DriverError("AllocateAddress: the answer names no address");
    try {
      const input = { AllocationId, InstanceId: id, AllowReassociation: true };
      await api.call(
        "AssociateAddress",
        "change",
        ({ client, sdk }) => client.send(new sdk.AssociateAddressCommand(input)),
        signal,
      );
      return PublicIp;
    } catch (error) {
      if (isRefusedError(error) && NOT_YET.has(error.refusal)) return null;
      throw error;
    }
  }

  private async list({ installation, run }: MarkScope, signal: AbortSignal): Promise<Address[]> {
    const Filters = [
      { Name: `tag:${TAG.installation}`, Values: [installation] },
      ...(run === null ? [] : [{ Name: `tag:${TAG.run}`, Values: [run] }]),
    ];
    const { Addresses = [] } = await this.parts.api.call(
      "DescribeAddresses",
      "describe",
      ({ client, sdk }) => client.send(new sdk.DescribeAddressesCommand({ Filters })),
      signal,
    );
    return Addresses;
  }

  /** Who may not list addresses has allocated none: each is looked for before it is allocated. */
  private async listIfAllowed(scope: MarkScope, signal: AbortSignal): Promise<Address[]> {
    return this.list(scope, signal).catch((error: unknown) => {
      if (isRefusedError(error) && error.refusal === "UnauthorizedOperation") return [];
      throw error;
    });
  }
}

/** What somebody else has released meanwhile is released. */
async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isRefusedError(error) || !GONE.has(error.refusal)) throw error;
  }
}

function withHost(machine: MachineStatus, host: string | null, address: AddressChoice): MachineStatus {
  // Reached by another address, it has its public one for others.
  if (address === "private" || address === "ipv6") return machine;
  const { access } = machine;
  if (host === null) return { ...machine, host: null, access: null };
  return { ...machine, host, access: access?.kind === "ssh" ? { ...access, host } : access };
}

function replicaOf({ run, service }: MachineMark): string {
  return `${run} ${service}`;
}

function tagOf({ Tags = [] }: Address, name: string): string | null {
  return Tags.find(({ Key }) => Key === name)?.Value ?? null;
}
