/** A service's `launch:` keys with resolved references: validated again, and with places in the order of trying. */
import { Ajv, type ValidateFunction } from "ajv";

import { DriverError, type DiedMachine, type LaunchRequest } from "../contract/driver.js";
import { launchSchema } from "./schema.js";

export interface VolumeSettings {
  readonly device: string;
  readonly size_gb?: number;
  readonly type?: "gp2" | "gp3" | "io1" | "io2" | "st1" | "sc1" | "standard";
  readonly encrypted?: boolean;
  readonly iops?: number;
  readonly throughput?: number;
  readonly kms_key?: string;
}

export interface LaunchSettings {
  readonly zone?: string | readonly string[];
  readonly subnet?: string | readonly string[];
  readonly security_groups?: readonly string[];
  readonly public_address?: boolean;
  readonly key_name?: string;
  readonly instance_profile?: string;
  readonly placement_group?: string;
  readonly disks?: readonly VolumeSettings[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly user_data?: string;
  readonly spot?: boolean | "true" | "false" | "fallback";
  readonly ipv6?: boolean;
  readonly elastic_ip?: boolean;
  /** More keys of RunInstances, in the API's own form. */
  readonly raw?: Readonly<Record<string, unknown>>;
  readonly shutdown?: "terminate" | "stop";
  readonly metadata?: { readonly tokens?: "required" | "optional"; readonly hop_limit?: number };
}

/** A place to launch in. The next place is tried if one has no capacity. */
export interface Place {
  readonly size: string;
  readonly zone: string | null;
  readonly subnet: string | null;
  readonly spot: boolean;
}

// References resolve to text: "20" for a number and "true" for a flag.
const ajv = new Ajv({ coerceTypes: true, strict: false });
const validate: ValidateFunction = ajv.compile(launchSchema);

/** @throws DriverError if a resolved reference has a value that the schema does not allow. */
export function settingsOf(request: LaunchRequest): LaunchSettings {
  const launch: unknown = structuredClone(request.launch);
  if (!validate(launch))
    throw new DriverError(
      `launch of ${request.mark.service}: ${ajv.errorsText(validate.errors, { dataVar: "launch" })}`,
    );
  return launch as LaunchSettings;
}

/**
 * Every size in every zone or subnet, in the order of trying: all places of the first size come first. With
 * `spot: fallback`, all places are tried as spot machines before the first one is tried on demand.
 * @throws DriverError without a size.
 */
export function placesFor(request: LaunchRequest, { zone, subnet, spot }: LaunchSettings): Place[] {
  const wanted = [...new Set([...(request.size === null ? [] : [request.size]), ...request.fallbackSizes])];
  if (wanted.length === 0)
    throw new DriverError(`${request.mark.service} has no size: write for example size: m7g.large`);
  const where =
    subnet === undefined
      ? listOf(zone).map((name) => ({ zone: name, subnet: null }))
      : listOf(subnet).map((id) => ({ zone: null, subnet: id }));
  const markets = spot === "fallback" ? [true, false] : [spot === true || spot === "true"];
  const places = markets.flatMap((isSpot) =>
    wanted.flatMap((size) => where.map((place) => ({ size, spot: isSpot, ...place }))),
  );
  // Where a machine has just ended for lack of capacity, the next one would too: that place is tried last.
  const isLate = (place: Place): boolean => (request.died ?? []).some((machine) => wasAt(machine, place));
  return [...places.filter((place) => !isLate(place)), ...places.filter(isLate)];
}

/** Whether a lack of capacity has ended a machine in this place. Amazon's reasons: `Server.SpotInstanceTermination`, … */
function wasAt({ size, zone, subnet, reason }: DiedMachine, place: Place): boolean {
  const wasSpot = /Spot/.test(reason);
  if (!wasSpot && !/Capacity/.test(reason)) return false;
  const elsewhere =
    (place.zone !== null && zone !== null && place.zone !== zone) ||
    (place.subnet !== null && subnet !== null && place.subnet !== subnet);
  return place.size === size && !elsewhere && (!wasSpot || place.spot);
}

/** A place for messages. */
export function placeName({ size, zone, subnet, spot }: Place): string {
  const where = zone ?? subnet;
  return `${size}${where === null ? "" : ` in ${where}`}${spot ? " (spot)" : ""}`;
}

/** Undefined: the cloud chooses. */
function listOf(one: string | readonly string[] | undefined): readonly (string | null)[] {
  if (one === undefined) return [null];
  return typeof one === "string" ? [one] : one;
}
