/** The call that makes machines. */
import type { RunInstancesCommandInput } from "@aws-sdk/client-ec2";

import type { Batch } from "./batches.js";
import { ownTags, runTags, TAG, tagList, type Tags } from "./machines.js";
import { type VolumeSettings, type LaunchSettings, type Place } from "./settings.js";

/** What a call is made for. */
export interface RunParts {
  readonly batch: Batch;
  readonly settings: LaunchSettings;
  readonly place: Place;
  /** What `imageId` gave. */
  readonly image: string;
  /** Ids of security groups; null: the network's default. */
  readonly groups: readonly string[] | null;
  /** What the machines are told, before base64. */
  readonly userData: Buffer | null;
}

/**
 * What RunInstances is asked for the machines of a batch. They are marked in the same call; a single machine
 * with all that is its own, several with the batch that tells whose each is.
 */
export function runInput(parts: RunParts): RunInstancesCommandInput {
  const { batch, settings, place, image, userData } = parts;
  const marked = ["instance", "volume", ...(settings.spot === true ? ["spot-instances-request"] : [])] as const;
  const Tags = tagList(batchTags(batch, settings.tags ?? {}));
  return {
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
    ...(settings.spot === true
      ? { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } } }
      : {}),
  };
}

function batchTags({ id, members }: Batch, own: Tags): Tags {
  const [first] = members;
  if (first === undefined) throw new Error("a batch without members");
  const alone = members.length === 1 ? ownTags(first) : {};
  return { ...alone, ...own, ...runTags(first.mark), [TAG.batch]: id };
}

/**
 * Whether a machine gets a public address is said of its network interface, and then all else of the network is said
 * there too.
 */
function network({
  settings: { public_address: isPublic },
  place: { subnet },
  groups,
}: RunParts): Partial<RunInstancesCommandInput> {
  if (isPublic === undefined)
    return {
      ...(subnet === null ? {} : { SubnetId: subnet }),
      ...(groups === null ? {} : { SecurityGroupIds: [...groups] }),
    };
  const own = { ...(subnet === null ? {} : { SubnetId: subnet }), ...(groups === null ? {} : { Groups: [...groups] }) };
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
}: VolumeSettings): NonNullable<RunInstancesCommandInput["BlockDeviceMappings"]>[number] {
  const volume = {
    ...(size === undefined ? {} : { VolumeSize: size }),
    ...(type === undefined ? {} : { VolumeType: type }),
    ...(encrypted === undefined ? {} : { Encrypted: encrypted }),
  };
  return { DeviceName: device, Ebs: { DeleteOnTermination: true, ...volume } };
}
