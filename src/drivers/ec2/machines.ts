/** How machines are marked in EC2, and what the cloud says of them in the contract's words. */
import type { Instance, Tag } from "@aws-sdk/client-ec2";

import type { LaunchRequest, MachineMark, MachineStatus } from "../driver.js";

/** The tags by which machines are found; EC2 refuses none of these characters. */
export const TAG = {
  installation: "bootlevel:installation",
  run: "bootlevel:run",
  runName: "bootlevel:run-name",
  service: "bootlevel:service",
  key: "bootlevel:key",
} as const;

/** Which address others reach a machine by; null: the public one if it has one. */
export type AddressChoice = "public" | "private" | null;

/** The tags of a machine that is asked for, `Name` (for people) unless `own` has one. */
export function tagsFor({ key, mark }: LaunchRequest, own: Readonly<Record<string, string>>): Tag[] {
  const tags = {
    Name: `${mark.runName}/${mark.service}`.slice(0, 256), ...own,
    [TAG.installation]: mark.installation, [TAG.run]: mark.run, [TAG.runName]: mark.runName, [TAG.service]: mark.service, [TAG.key]: key,
  };
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** The key that a machine was launched for, or null. */
export function keyOf(instance: Instance): string | null {
  return tag(instance, TAG.key);
}

/** What the cloud says of a machine. */
export function statusOf(instance: Instance, address: AddressChoice): MachineStatus {
  const host = hostOf(instance, address);
  return {
    id: instance.InstanceId ?? "",
    key: keyOf(instance),
    mark: markOf(instance),
    state: stateOf(instance),
    host,
    privateHost: instance.PrivateIpAddress ?? null,
    hostname: nonEmpty(instance.PrivateDnsName),
    access: host === null ? null : { kind: "ssh", host, port: null, user: null },
    reason: instance.StateReason?.Message ?? nonEmpty(instance.StateTransitionReason) ?? "",
  };
}

/** The status of a machine that the cloud does not know. */
export function unknownStatus(id: string): MachineStatus {
  return { id, key: null, mark: null, state: "unknown", host: null, privateHost: null, hostname: null, access: null, reason: "the cloud does not know it" };
}

function stateOf({ State }: Instance): MachineStatus["state"] {
  switch (State?.Name) {
    case "running": return "running";
    case "stopping": case "stopped": return "stopped";
    case "shutting-down": case "terminated": return "terminated";
    case "pending": case undefined: return "pending";
  }
}

function hostOf({ PublicIpAddress, PrivateIpAddress }: Instance, address: AddressChoice): string | null {
  if (address === "private") return nonEmpty(PrivateIpAddress);
  return nonEmpty(PublicIpAddress) ?? (address === "public" ? null : nonEmpty(PrivateIpAddress));
}

function markOf(instance: Instance): MachineMark | null {
  const [installation, run, runName, service] = [TAG.installation, TAG.run, TAG.runName, TAG.service].map((name) => tag(instance, name));
  return installation && run ? { installation, run, runName: runName ?? "", service: service ?? "" } : null;
}

function tag({ Tags }: Instance, name: string): string | null {
  return Tags?.find(({ Key }) => Key === name)?.Value ?? null;
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
