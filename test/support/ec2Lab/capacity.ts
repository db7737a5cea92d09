/** Room for machines: full zones, types that are sold out, fewer machines than asked for, and quotas. */
import { refusal, type Call, type Layer, type Reply } from "../moto.js";
import type { Faults } from "./faults.js";

/** So many machines are left there; what is not said fits every machine. */
export interface CapacityLimit {
  readonly zone?: string;
  readonly subnet?: string;
  readonly type?: string;
  /** Machines that are still to be had; those that end give no room back. */
  readonly left: number;
}

/**
 * Gives as many machines as there is room for, and none if that is fewer than wanted at least.
 * @param countLive how many machines there are.
 */
export function capacityLayer(faults: Faults, countLive: () => Promise<number>): Layer {
  const used = new Map<CapacityLimit, number>();
  return async (call, next) => {
    if (call.action !== "RunInstances" || call.parameters.get("DryRun") === "true") return next(call);
    const { capacity, quota } = faults.settings;
    const [least, most] = ["MinCount", "MaxCount"].map((name) => Number(call.parameters.get(name) ?? 1)) as [
      number,
      number,
    ];
    const limits = capacity.filter((limit) => concerns(limit, call));
    const room = Math.min(most, ...limits.map((limit) => limit.left - (used.get(limit) ?? 0)));
    if (room < least) return noCapacity(call);
    for (const limit of limits) used.set(limit, (used.get(limit) ?? 0) + room); // before anything is waited for: calls come side by side
    const given = quota === null ? room : Math.min(room, quota - (await countLive()));
    for (const limit of limits) used.set(limit, (used.get(limit) ?? 0) - room + (given < least ? 0 : given));
    if (given < least) return overQuota(quota ?? 0);
    return next(changed(call, given, faults));
  };
}

/** moto makes as many machines as are wanted at least. */
function changed({ action, parameters }: Call, given: number, { settings }: Faults): Call {
  const own = new URLSearchParams(parameters);
  for (const name of ["MinCount", "MaxCount"]) own.set(name, String(given));
  if (settings.userData === "ignored") own.delete("UserData");
  if (settings.reuseAddresses) own.set("AddressReuse", "true");
  return { action, parameters: own };
}

function concerns({ zone, subnet, type }: CapacityLimit, { parameters }: Call): boolean {
  const fits = (wanted: string | undefined, ...names: string[]): boolean =>
    wanted === undefined || names.some((name) => parameters.get(name) === wanted);
  return (
    fits(zone, "Placement.AvailabilityZone") &&
    fits(subnet, "SubnetId", "NetworkInterface.1.SubnetId") &&
    fits(type, "InstanceType")
  );
}

function noCapacity({ parameters }: Call): Reply {
  const type = parameters.get("InstanceType") ?? "";
  const zone = parameters.get("Placement.AvailabilityZone");
  const message = `We currently do not have sufficient ${type} capacity ${zone === null ? "to fulfill your request" : `in the Availability Zone you requested (${zone})`}.`;
  return refusal({ status: 500, code: "InsufficientInstanceCapacity", message });
}

function overQuota(quota: number): Reply {
  const message = `You have requested more vCPU capacity than your current vCPU limit of ${quota * 2} allows for the instance bucket that the specified instance type belongs to.`;
  return refusal({ status: 400, code: "VcpuLimitExceeded", message });
}
