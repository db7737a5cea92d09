/** The read-only EC2 calls for checks of launches. */
import type {
  AvailabilityZone,
  Image,
  InstanceTypeInfo,
  InstanceTypeOffering,
  KeyPairInfo,
  PlacementGroup,
  RunInstancesCommandInput,
  SecurityGroup,
  Subnet,
} from "@aws-sdk/client-ec2";

import { DriverError } from "../contract/driver.js";
import { chunks, type Ec2Api, type Opened } from "./api.js";
import { isRefusedError } from "./errors.js";
import { imageById } from "./imageById.js";

/** Most values that EC2 accepts for one filter. */
const MOST_VALUES = 200;

interface Asked {
  readonly Filters: { readonly Name: string; readonly Values: string[] }[];
}

interface Page {
  readonly NextToken?: string | undefined;
}

/** Each returns those of the requested items that exist. All calls throw the same errors as `Ec2Api`. */
export class CheckCalls {
  constructor(private readonly api: Pick<Ec2Api, "call" | "terminate">) {}

  types(names: readonly string[], signal: AbortSignal): Promise<InstanceTypeInfo[]> {
    return this.ask(
      "DescribeInstanceTypes",
      "instance-type",
      names,
      ({ client, sdk }, input) => client.send(new sdk.DescribeInstanceTypesCommand(input)),
      ({ InstanceTypes }) => InstanceTypes,
      signal,
    );
  }

  /** The zones in which instance types are offered. */
  offerings(names: readonly string[], signal: AbortSignal): Promise<InstanceTypeOffering[]> {
    const send = ({ client, sdk }: Opened, input: Asked) =>
      client.send(new sdk.DescribeInstanceTypeOfferingsCommand({ ...input, LocationType: "availability-zone" }));
    return this.ask(
      "DescribeInstanceTypeOfferings",
      "instance-type",
      names,
      send,
      ({ InstanceTypeOfferings }) => InstanceTypeOfferings,
      signal,
    );
  }

  zones(names: readonly string[], signal: AbortSignal): Promise<AvailabilityZone[]> {
    return this.ask(
      "DescribeAvailabilityZones",
      "zone-name",
      names,
      async ({ client, sdk }, input) => ({
        ...(await client.send(new sdk.DescribeAvailabilityZonesCommand(input))),
        NextToken: undefined,
      }),
      ({ AvailabilityZones }) => AvailabilityZones,
      signal,
    );
  }

  subnets(ids: readonly string[], signal: AbortSignal): Promise<Subnet[]> {
    return this.ask(
      "DescribeSubnets",
      "subnet-id",
      ids,
      ({ client, sdk }, input) => client.send(new sdk.DescribeSubnetsCommand(input)),
      ({ Subnets }) => Subnets,
      signal,
    );
  }

  groups(ids: readonly string[], signal: AbortSignal): Promise<SecurityGroup[]> {
    return this.ask(
      "DescribeSecurityGroups",
      "group-id",
      ids,
      ({ client, sdk }, input) => client.send(new sdk.DescribeSecurityGroupsCommand(input)),
      ({ SecurityGroups }) => SecurityGroups,
      signal,
    );
  }

  keyPairs(names: readonly string[], signal: AbortSignal): Promise<KeyPairInfo[]> {
    return this.ask(
      "DescribeKeyPairs",
      "key-name",
      names,
      async ({ client, sdk }, input) => ({
        ...(await client.send(new sdk.DescribeKeyPairsCommand(input))),
        NextToken: undefined,
      }),
      ({ KeyPairs }) => KeyPairs,
      signal,
    );
  }

  placementGroups(names: readonly string[], signal: AbortSignal): Promise<PlacementGroup[]> {
    return this.ask(
      "DescribePlacementGroups",
      "group-name",
      names,
      async ({ client, sdk }, input) => ({
        ...(await client.send(new sdk.DescribePlacementGroupsCommand(input))),
        NextToken: undefined,
      }),
      ({ PlacementGroups }) => PlacementGroups,
      signal,
    );
  }

  /** One image by its id, or null. */
  image(id: string, signal: AbortSignal): Promise<Image | null> {
    return imageById(id, this.api, signal);
  }

  /**
   * Whether RunInstances would work, as far as the cloud can tell: it does not check capacity.
   * @throws RefusedError with the reason.
   */
  async dryRun(input: RunInstancesCommandInput, signal: AbortSignal): Promise<void> {
    const launched = await this.api
      .call(
        "RunInstances",
        "run",
        ({ client, sdk }) => client.send(new sdk.RunInstancesCommand({ ...input, DryRun: true })),
        signal,
      )
      .catch((error: unknown) => {
        if (isRefusedError(error) && error.refusal === "DryRunOperation") return null;
        throw error;
      });
    if (launched === null) return;
    // A cloud with a compatible API may ignore DryRun.
    const ids = (launched.Instances ?? []).flatMap(({ InstanceId }) => InstanceId ?? []);
    if (ids.length > 0) await this.api.terminate(ids, signal);
    throw new DriverError(
      `this cloud does not support DryRun: it launched ${ids.join(", ") || "a machine"}, which was terminated at once`,
    );
  }

  private async ask<P extends Page, T>(
    name: string,
    filter: string,
    values: readonly string[],
    send: (opened: Opened, input: Asked) => Promise<P>,
    read: (page: P) => T[] | undefined,
    signal: AbortSignal,
  ): Promise<T[]> {
    const found: T[] = [];
    for (const Values of chunks([...new Set(values)], MOST_VALUES)) {
      for (let token: string | undefined; ;) {
        const input = { Filters: [{ Name: filter, Values }], ...(token === undefined ? {} : { NextToken: token }) };
        const page = await this.api.call(name, "describe", (opened) => send(opened, input), signal);
        found.push(...(read(page) ?? []));
        token = page.NextToken;
        if (token === undefined || token === "") break;
      }
    }
    return found;
  }
}
