/** Builds the call that launches machines. */
import type { RunInstancesCommandInput } from "@aws-sdk/client-ec2";

import type { Batch, Member } from "./batches.js";
import { ownTags, runTags, TAG, tagList, type Tags } from "./machines.js";
import { type VolumeSettings, type LaunchSettings, type Place } from "./settings.js";

/** The parts of a call. */
export interface RunParts {
  readonly batch: Batch;
  readonly settings: LaunchSettings;
  readonly place: Place;
  /** The result of `imageId`. */
  readonly image: string;
  /** Ids of security groups. Null: the network's default group. */
  readonly groups: readonly string[] | null;
  /** The machines' user data, before base64. */
  readonly userData: Buffer | null;
}

/**
 * The input of RunInstances for the machines of a batch. They are tagged in the same call: a single machine with all
 * its tags; several machines with the batch, which identifies the request of each.
 */
export function runInput(parts: RunParts): RunInstancesCommandInput {
  const { batch, settings, place, image, userData } = parts;
  const marked = [
    "instance",
    "volume",
    ...(place.spot ? ["spot-instances-request"] : []),
    "network-interface",
  ] as const;
  const elastic = settings.elastic_ip === true ? { [TAG.elastic]: "wanted" } : {};
  const Tags = tagList(batchTags(batch, { ...settings.tags, ...elastic }));
  const own: RunInstancesCommandInput = {
    ClientToken: batch.id,
    MinCount: batch.least,
    MaxCount: batch.members.length,
    ImageId: image,
    InstanceType: place.size as NonNullable<RunInstancesCommandInput["InstanceType"]>,
    TagSpecifications: marked.map((ResourceType) => ({ ResourceType: ResourceType as "instance", Tags })),
    MetadataOptions: {
      HttpTokens: settings.metadata?.tokens ?? "required",
      ...(settings.metadata?.hop_limit === undefined ? {} : { HttpPutResponseHopLimit: settings.metadata.hop_limit }),
    },
    InstanceInitiatedShutdownBehavior: settings.shutdown ?? "terminate",
    ...network(parts),
    ...placement(settings, place),
    ...(settings.key_name === undefined ? {} : { KeyName: settings.key_name }),
    ...(settings.instance_profile === undefined ? {} : { IamInstanceProfile: profile(settings.instance_profile) }),
    ...(settings.disks === undefined ? {} : { BlockDeviceMappings: settings.disks.map(blockDevice) }),
    ...(userData === null ? {} : { UserData: userData.toString("base64") }),
    ...(place.spot
      ? { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } } }
      : {}),
  };
  return withRaw(own, settings.raw ?? {});
}

/**
 * Adds keys of the plan's `raw`. A map is merged into bootlevel's own, one level deep; anything else takes its place.
 * Network interfaces need the network's settings in themselves.
 */
function withRaw(own: RunInstancesCommandInput, raw: Readonly<Record<string, unknown>>): RunInstancesCommandInput {
  const merged: Record<string, unknown> = { ...own };
  for (const [key, value] of Object.entries(raw)) {
    const before = merged[key];
    merged[key] = isMap(before) && isMap(value) ? { ...before, ...value } : value;
  }
  if (raw["NetworkInterfaces"] === undefined || own.NetworkInterfaces !== undefined)
    return merged as unknown as RunInstancesCommandInput;
  const { SubnetId, SecurityGroupIds, ...rest } = merged;
  const [first, ...others] = raw["NetworkInterfaces"] as Record<string, unknown>[];
  const isExisting = first?.["NetworkInterfaceId"] !== undefined;
  const network = isExisting
    ? {}
    : {
        ...(SubnetId === undefined ? {} : { SubnetId }),
        ...(SecurityGroupIds === undefined ? {} : { Groups: SecurityGroupIds }),
      };
  return { ...rest, NetworkInterfaces: [{ ...network, ...first }, ...others] } as unknown as RunInstancesCommandInput;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function batchTags({ id, members }: Batch, own: Tags): Tags {
  const [first] = members;
  if (first === undefined) throw new Error("a batch without members");
  return {
    ...(members.length === 1 ? ownTags(first) : { Name: sharedName(members) }),
    ...own,
    ...runTags(first.mark),
    [TAG.batch]: id,
  };
}

/** A name for machines of one call, until each has its own: the run, and the service if all are of one. */
function sharedName(members: readonly Member[]): string {
  const [first] = members as [Member];
  const base = ({ mark: { service }, replica }: Member) =>
    service.endsWith(`-${replica}`) ? service.slice(0, -`-${replica}`.length) : service;
  const isOne = members.every((member) => base(member) === base(first));
  return (isOne ? `${first.mark.runName}/${base(first)}` : first.mark.runName).slice(0, 256);
}

/**
 * A choice about a public address belongs to the network interface. EC2 then requires all other network settings there
 * too.
 */
function network({
  settings: { public_address: isPublic, ipv6 },
  place: { subnet },
  groups,
}: RunParts): Partial<RunInstancesCommandInput> {
  const six = ipv6 === true ? { Ipv6AddressCount: 1 } : {};
  if (isPublic === undefined)
    return {
      ...(subnet === null ? {} : { SubnetId: subnet }),
      ...(groups === null ? {} : { SecurityGroupIds: [...groups] }),
      ...six,
    };
  const own = {
    ...six,
    ...(subnet === null ? {} : { SubnetId: subnet }),
    ...(groups === null ? {} : { Groups: [...groups] }),
  };
  return {
    NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: isPublic, DeleteOnTermination: true, ...own }],
  };
}

function placement({ placement_group: group }: LaunchSettings, { zone }: Place): Partial<RunInstancesCommandInput> {
  if (group === undefined && zone === null) return {};
  return {
    Placement: {
      ...(zone === null ? {} : { AvailabilityZone: zone }),
      ...(group === undefined ? {} : { GroupName: group }),
    },
  };
}

function profile(name: string): { Arn: string } | { Name: string } {
  return name.startsWith("arn:") ? { Arn: name } : { Name: name };
}

function blockDevice({
  device,
  size_gb: size,
  type,
  encrypted,
  iops,
  throughput,
  kms_key: key,
}: VolumeSettings): NonNullable<RunInstancesCommandInput["BlockDeviceMappings"]>[number] {
  const volume = {
    ...(size === undefined ? {} : { VolumeSize: size }),
    ...(type === undefined ? {} : { VolumeType: type }),
    ...(encrypted === undefined && key === undefined ? {} : { Encrypted: encrypted ?? true }),
    ...(iops === undefined ? {} : { Iops: iops }),
    ...(throughput === undefined ? {} : { Throughput: throughput }),
    ...(key === undefined ? {} : { KmsKeyId: key }),
  };
  return { DeviceName: device, Ebs: { DeleteOnTermination: true, ...volume } };
}
