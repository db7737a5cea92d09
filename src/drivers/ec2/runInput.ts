/** The call that makes a machine. */
import { createHash } from "node:crypto";

import type { RunInstancesCommandInput } from "@aws-sdk/client-ec2";

import type { LaunchRequest } from "../driver.js";
import { tagsFor } from "./machines.js";
import { placeName, type Disk, type LaunchSettings, type Place } from "./settings.js";

/**
 * What RunInstances is asked for one machine: marked in the same call, so that it is never without its key.
 * @param image what `imageId` gave.
 */
export function runInput(request: LaunchRequest, settings: LaunchSettings, place: Place, image: string): RunInstancesCommandInput {
  const Tags = tagsFor(request, settings.tags ?? {});
  const marked = ["instance", "volume", ...(settings.spot === true ? ["spot-instances-request"] : [])] as const;
  return {
    ClientToken: token(request.key, place),
    MinCount: 1,
    MaxCount: 1,
    ImageId: image,
    InstanceType: place.size as NonNullable<RunInstancesCommandInput["InstanceType"]>,
    TagSpecifications: marked.map((ResourceType) => ({ ResourceType: ResourceType as "instance", Tags })),
    MetadataOptions: { HttpTokens: settings.metadata?.tokens ?? "required", ...(settings.metadata?.hop_limit === undefined ? {} : { HttpPutResponseHopLimit: settings.metadata.hop_limit }) },
    InstanceInitiatedShutdownBehavior: settings.shutdown ?? "terminate",
    ...network(settings, place),
    ...placement(settings, place),
    ...(settings.key_name === undefined ? {} : { KeyName: settings.key_name }),
    ...(settings.instance_profile === undefined ? {} : { IamInstanceProfile: profile(settings.instance_profile) }),
    ...(settings.disks === undefined ? {} : { BlockDeviceMappings: settings.disks.map(blockDevice) }),
    ...(settings.user_data === undefined ? {} : { UserData: Buffer.from(settings.user_data).toString("base64") }),
    ...(settings.spot === true ? { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } } } : {}),
  };
}

/** The same for ever for a key and a place: EC2 answers a repeated call with the machine of the first one. */
function token(key: string, place: Place): string {
  return createHash("sha256").update(JSON.stringify([key, placeName(place)])).digest("hex");
}

/** Whether a machine gets a public address is said of its network interface, and then all else of the network is said there too. */
function network({ public_address: isPublic, security_groups: groups }: LaunchSettings, { subnet }: Place): Partial<RunInstancesCommandInput> {
  if (isPublic === undefined) return { ...(subnet === null ? {} : { SubnetId: subnet }), ...(groups === undefined ? {} : { SecurityGroupIds: [...groups] }) };
  const own = { ...(subnet === null ? {} : { SubnetId: subnet }), ...(groups === undefined ? {} : { Groups: [...groups] }) };
  return { NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: isPublic, DeleteOnTermination: true, ...own }] };
}

function placement({ placement_group: group }: LaunchSettings, { zone }: Place): Partial<RunInstancesCommandInput> {
  if (group === undefined && zone === null) return {};
  return { Placement: { ...(zone === null ? {} : { AvailabilityZone: zone }), ...(group === undefined ? {} : { GroupName: group }) } };
}

function profile(name: string): { Arn: string } | { Name: string } {
  return name.startsWith("arn:") ? { Arn: name } : { Name: name };
}

function blockDevice({ device, size_gb: size, type, encrypted }: Disk): NonNullable<RunInstancesCommandInput["BlockDeviceMappings"]>[number] {
  const volume = { ...(size === undefined ? {} : { VolumeSize: size }), ...(type === undefined ? {} : { VolumeType: type }), ...(encrypted === undefined ? {} : { Encrypted: encrypted }) };
  return { DeviceName: device, Ebs: { DeleteOnTermination: true, ...volume } };
}
