/** How machines are tagged in EC2, and how EC2's state of a machine maps to the contract. */
import type { Instance, Tag } from "@aws-sdk/client-ec2";

import type { MachineMark, MachineStatus } from "../contract/driver.js";
import type { Member } from "./batches.js";
import { missingMachine } from "../shared/missingMachine.js";

/** The tags that identify machines. EC2 accepts all characters in them. */
export const TAG = {
  installation: "bootlevel:installation",
  run: "bootlevel:run",
  runName: "bootlevel:run-name",
  service: "bootlevel:service",
  replica: "bootlevel:replica",
  key: "bootlevel:key",
  batch: "bootlevel:batch",
  /** On a machine that is to have an Elastic IP: "wanted". */
  elastic: "bootlevel:elastic-ip",
  /** On an image and its snapshots: the plan's name for the image. */
  image: "bootlevel:image",
} as const;

/** Tags by their names. */
export type Tags = Readonly<Record<string, string>>;

/** The kind of address that is reported for a machine. Null: the public one if it has one. */
export type AddressChoice = "public" | "private" | "ipv6" | null;

/** The tags that all machines of a run's call share. */
export function runTags({ installation, run, runName }: Pick<MachineMark, "installation" | "run" | "runName">): Tags {
  return { [TAG.installation]: installation, [TAG.run]: run, [TAG.runName]: runName };
}

/** The tags of a single machine. `Name` is for people. */
export function ownTags({ key, mark, replica }: Member): Tags {
  return {
    Name: `${mark.runName}/${mark.service}`.slice(0, 256),
    [TAG.service]: mark.service,
    [TAG.replica]: String(replica),
    [TAG.key]: key,
  };
}

/** Tags in EC2's form. */
export function tagList(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** The recorded data of a machine that was launched together with others. */
export interface Membership {
  readonly member: Member;
  readonly hostKeys: readonly string[];
}

/** A machine's status according to the cloud. */
export function statusOf(instance: Instance, address: AddressChoice, membership: Membership | null): MachineStatus {
  const host = hostOf(instance, address);
  const id = instance.InstanceId ?? "";
  return {
    id,
    key: tag(instance, TAG.key) ?? membership?.member.key ?? null,
    mark: markOf(instance, membership),
    state: stateOf(instance),
    host,
    noAddress: withoutAddress(instance, host, address),
    size: instance.InstanceType ?? null,
    zone: nonEmpty(instance.Placement?.AvailabilityZone),
    subnet: nonEmpty(instance.SubnetId),
    privateHost: instance.PrivateIpAddress ?? null,
    hostname: nonEmpty(instance.PrivateDnsName),
    access:
      host === null
        ? null
        : {
            kind: "ssh",
            host,
            port: null,
            user: null,
            firstContact: { machine: `ec2 ${id}`, hostKeys: membership?.hostKeys ?? [] },
          },
    reason: instance.StateReason?.Message ?? nonEmpty(instance.StateTransitionReason) ?? "",
  };
}

/** The status of a machine that the cloud does not know. */
export function unknownStatus(id: string): MachineStatus {
  return missingMachine(id, "unknown", "the cloud does not know it");
}

function stateOf({ State }: Instance): MachineStatus["state"] {
  switch (State?.Name) {
    case "running":
      return "running";
    case "stopping":
    case "stopped":
      return "stopped";
    case "shutting-down":
    case "terminated":
      return "terminated";
    case "pending":
    case undefined:
      return "pending";
  }
}

function hostOf(instance: Instance, address: AddressChoice): string | null {
  const ipv6 =
    nonEmpty(instance.Ipv6Address) ?? nonEmpty(instance.NetworkInterfaces?.[0]?.Ipv6Addresses?.[0]?.Ipv6Address);
  if (address === "ipv6") return ipv6;
  if (address === "private") return nonEmpty(instance.PrivateIpAddress);
  const own = nonEmpty(instance.PublicIpAddress);
  return own ?? (address === "public" ? ipv6 : (nonEmpty(instance.PrivateIpAddress) ?? ipv6));
}

/** Why a running machine has no address, or null if it has one. */
function withoutAddress(instance: Instance, host: string | null, address: AddressChoice): string | null {
  if (host !== null || stateOf(instance) !== "running") return null;
  const [kind, remedy] = {
    public: ["public", "write launch: { public_address: true } or address: private"],
    private: ["private", "check its subnet"],
    ipv6: ["IPv6", "write launch: { ipv6: true }, and use a subnet with an IPv6 range"],
  }[address ?? "private"] as [string, string];
  return `it runs without ${kind === "IPv6" ? "an" : "a"} ${kind} address: ${remedy}`;
}

function markOf(instance: Instance, membership: Membership | null): MachineMark | null {
  const [installation, run, runName, service] = [TAG.installation, TAG.run, TAG.runName, TAG.service].map((name) =>
    tag(instance, name),
  );
  return installation && run
    ? { installation, run, runName: runName ?? "", service: service ?? membership?.member.mark.service ?? "" }
    : null;
}

/** A machine's tag, or null. */
export function tag({ Tags }: Instance, name: string): string | null {
  return Tags?.find(({ Key }) => Key === name)?.Value ?? null;
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
