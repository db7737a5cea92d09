/** Checks whether launches could work: looks up everything that they name, and tries the rest with `DryRun`. */
import type { Image, InstanceTypeInfo } from "@aws-sdk/client-ec2";

import { makeKeyPair } from "../../machines/ssh/keyPair.js";
import {
  DriverError,
  isDriverError,
  type DriverContext,
  type LaunchProblem,
  type LaunchRequest,
} from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import { newBatch } from "./batches.js";
import { CheckCalls } from "./checkCalls.js";
import { isNoCapacity, isRefusedError } from "./errors.js";
import { imageId } from "./images.js";
import { runInput } from "./runInput.js";
import type { SecurityGroups } from "./securityGroup.js";
import { placeName, placesFor, settingsOf, type LaunchSettings, type Place } from "./settings.js";
import { userData } from "./userData.js";

export interface CheckParts extends Pick<DriverContext, "warn"> {
  readonly api: Ec2Api;
  readonly groups: SecurityGroups;
}

/** A request with enough data to be checked. */
interface CheckedRequest {
  readonly request: LaunchRequest;
  readonly settings: LaunchSettings;
  readonly places: readonly Place[];
  readonly userData: Buffer | null;
  /** The image for RunInstances, and the data of it. Null data: only EC2 can look it up. */
  image: { readonly id: string; readonly known: Image | null } | null;
}

/** Like `Driver.check`: returns all problems, each once, even if several requests have it. */
export async function checkLaunches(
  requests: readonly LaunchRequest[],
  parts: CheckParts,
  signal: AbortSignal,
): Promise<LaunchProblem[]> {
  const check = new Check(parts, signal);
  await check.run(requests);
  return [...check.problems].map(([message, keys]) => ({ message, keys: [...keys] }));
}

class Check {
  readonly problems = new Map<string, Set<string>>();
  private readonly warnings = new Set<string>();
  private readonly calls: CheckCalls;

  constructor(
    private readonly parts: CheckParts,
    private readonly signal: AbortSignal,
  ) {
    this.calls = new CheckCalls(parts.api);
  }

  async run(requests: readonly LaunchRequest[]): Promise<void> {
    const wishes = requests.flatMap((request) => this.wish(request) ?? []);
    await this.optional(() => this.images(wishes));
    await this.optional(() => this.types(wishes));
    await this.optional(() => this.networks(wishes));
    await this.optional(() => this.names(wishes));
    await this.optional(() => this.groups(wishes));
    await this.dryRuns(wishes);
    for (const warning of this.warnings) this.parts.warn(warning);
  }

  private problem(wish: Pick<CheckedRequest, "request">, message: string): void {
    const keys = this.problems.get(message) ?? new Set<string>();
    this.problems.set(message, keys.add(wish.request.key));
  }

  /** Checks one request by itself. */
  private wish(request: LaunchRequest): CheckedRequest | null {
    const { image, size, contact } = request;
    if (image === null) this.problem({ request }, "it has no image: write for example image: ami-0a1b2c3d");
    if (size === null) this.problem({ request }, "it has no size: write for example size: m7g.large");
    if (image === null || size === null) return null;
    try {
      const settings = settingsOf(request);
      const told = userData(
        settings.user_data ?? null,
        contact,
        settings.key_name ?? null,
        contact?.hostKey === true ? makeKeyPair("") : null,
      );
      return { request, settings, places: placesFor(request, settings), userData: told, image: null };
    } catch (error) {
      if (!isDriverError(error)) throw error;
      this.problem({ request }, error.message);
      return null;
    }
  }

  /** A missing permission to query prevents only this check, not the launch. */
  private async optional(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.unchecked(error);
    }
  }

  /** @throws the error itself, unless it is a missing permission. */
  private unchecked(error: unknown): void {
    if (!isRefusedError(error)) throw error;
    this.warnings.add(`the check is incomplete: ${brief(error)}`);
  }

  private async images(wishes: readonly CheckedRequest[]): Promise<void> {
    const found = new Map<string, CheckedRequest["image"] | DriverError>();
    for (const written of new Set(wishes.map(({ request }) => request.image ?? ""))) {
      found.set(
        written,
        await this.image(written).catch((error: unknown) => {
          if (!isDriverError(error) || error.code !== DriverError.code) throw error;
          return error;
        }),
      );
    }
    for (const wish of wishes) {
      const image = found.get(wish.request.image ?? "") ?? null;
      if (isDriverError(image)) this.problem(wish, image.message);
      else wish.image = image;
    }
  }

  /** @throws DriverError itself if there is none. */
  private async image(written: string): Promise<CheckedRequest["image"]> {
    const id = await imageId(written, this.parts.api, this.signal);
    if (!id.startsWith("ami-")) return { id, known: null };
    let known: Image | null = null;
    try {
      known = await this.calls.image(id, this.signal);
    } catch (error) {
      this.unchecked(error);
      return { id, known: null };
    }
    if (known === null)
      throw new DriverError(
        `the region has no image ${id}, or it is not shared with you: images have another id in each region`,
      );
    if (known.State !== undefined && known.State !== "available")
      throw new DriverError(`image ${id} is not available: its state is ${known.State}`);
    return { id, known };
  }

  private async types(wishes: readonly CheckedRequest[]): Promise<void> {
    const names = wishes.flatMap(({ places }) => places.map(({ size }) => size));
    const types = new Map(
      (await this.calls.types(names, this.signal)).map((type) => [String(type.InstanceType), type]),
    );
    for (const wish of wishes) {
      for (const size of new Set(wish.places.map((place) => place.size))) {
        const type = types.get(size);
        if (type === undefined) this.problem(wish, `the region has no instance type ${size}`);
        else if (wish.image?.known) for (const message of misfits(type, wish.image.known)) this.problem(wish, message);
      }
    }
    await this.optional(() => this.offers(wishes.filter(({ places }) => places.every(({ size }) => types.has(size)))));
  }

  /** Reports a size that none of the zones offers, and a zone that offers none of the sizes. */
  private async offers(wishes: readonly CheckedRequest[]): Promise<void> {
    const subnets = new Map(
      (
        await this.calls.subnets(
          wishes.flatMap(({ places }) => places.flatMap(({ subnet }) => subnet ?? [])),
          this.signal,
        )
      ).map((subnet) => [subnet.SubnetId, subnet.AvailabilityZone]),
    );
    const zoneOf = ({ zone, subnet }: Place): string | null => zone ?? subnets.get(subnet ?? "") ?? null;
    const zoned = wishes.filter(({ places }) => places.every((place) => zoneOf(place) !== null));
    const zones = new Map<string, Set<string>>();
    for (const { InstanceType = "", Location = "" } of await this.calls.offerings(
      zoned.flatMap(({ places }) => places.map(({ size }) => size)),
      this.signal,
    ))
      zones.set(InstanceType, (zones.get(InstanceType) ?? new Set()).add(Location));
    for (const wish of zoned) {
      const offered = wish.places.filter((place) => zones.get(place.size)?.has(zoneOf(place) ?? ""));
      for (const size of new Set(wish.places.map((place) => place.size))) {
        if (!offered.some((place) => place.size === size))
          this.problem(
            wish,
            `${size} is not offered in ${[...new Set(wish.places.map(zoneOf))].join(", ")}, ` +
              `but in ${[...(zones.get(size) ?? [])].sort().join(", ") || "no zone"}`,
          );
      }
      for (const zone of new Set(wish.places.map(zoneOf))) {
        if (offered.length > 0 && !offered.some((place) => zoneOf(place) === zone))
          this.problem(
            wish,
            `${zone ?? ""} offers none of the sizes ${[...new Set(wish.places.map(({ size }) => size))].join(", ")}`,
          );
      }
    }
  }

  private async networks(wishes: readonly CheckedRequest[]): Promise<void> {
    const places = wishes.flatMap((wish) => wish.places);
    const zones = await this.calls.zones(
      places.flatMap(({ zone }) => zone ?? []),
      this.signal,
    );
    const subnets = new Map(
      (
        await this.calls.subnets(
          places.flatMap(({ subnet }) => subnet ?? []),
          this.signal,
        )
      ).map((subnet) => [subnet.SubnetId, subnet]),
    );
    const groups = new Map(
      (
        await this.calls.groups(
          wishes.flatMap(({ settings }) => settings.security_groups ?? []),
          this.signal,
        )
      ).map((group) => [group.GroupId, group]),
    );
    for (const wish of wishes) {
      for (const { zone, subnet } of wish.places) {
        if (zone !== null && !zones.some(({ ZoneName, State }) => ZoneName === zone && State !== "unavailable"))
          this.problem(wish, `the region has no zone ${zone}, or it is not open to you`);
        if (subnet !== null && !subnets.has(subnet)) this.problem(wish, `the region has no subnet ${subnet}`);
      }
      for (const id of wish.settings.security_groups ?? []) {
        const group = groups.get(id);
        if (group === undefined) this.problem(wish, `the region has no security group ${id}`);
        for (const { subnet } of wish.places) {
          const vpc = subnets.get(subnet ?? "")?.VpcId;
          if (group !== undefined && vpc !== undefined && group.VpcId !== vpc)
            this.problem(
              wish,
              `security group ${id} belongs to network ${group.VpcId ?? "(none)"}, but subnet ${subnet ?? ""} to ${vpc}: ` +
                "choose both from one network",
            );
        }
      }
    }
  }

  private async names(wishes: readonly CheckedRequest[]): Promise<void> {
    const keys = new Set(
      (
        await this.calls.keyPairs(
          wishes.flatMap(({ settings }) => settings.key_name ?? []),
          this.signal,
        )
      ).map(({ KeyName }) => KeyName),
    );
    const groups = await this.calls.placementGroups(
      wishes.flatMap(({ settings }) => settings.placement_group ?? []),
      this.signal,
    );
    for (const wish of wishes) {
      const { key_name: key, placement_group: group } = wish.settings;
      if (key !== undefined && !keys.has(key))
        this.problem(wish, `the region has no key pair "${key}": create it there, or remove key_name`);
      if (group !== undefined && !groups.some(({ GroupName, State }) => GroupName === group && State === "available"))
        this.problem(wish, `the region has no placement group "${group}"`);
    }
  }

  /** Checks whether a security group could be created for services that name none. */
  private async groups(wishes: readonly CheckedRequest[]): Promise<void> {
    for (const wish of wishes.filter(
      ({ settings, request }) => settings.security_groups === undefined && !this.hasProblem(request.key),
    )) {
      for (const subnet of new Set(wish.places.map((place) => place.subnet))) {
        try {
          await this.parts.groups.check(
            { mark: wish.request.mark, subnet, publicAddress: wish.settings.public_address },
            this.signal,
          );
        } catch (error) {
          if (!isDriverError(error) || error.code !== DriverError.code) throw error;
          this.problem(wish, error.message);
        }
      }
    }
  }

  /** Tries each distinct launch once, with each of its sizes. Launches with known problems are skipped. */
  private async dryRuns(wishes: readonly CheckedRequest[]): Promise<void> {
    const asked = new Map<string, Promise<string | null>>();
    await Promise.all(
      wishes
        .filter(({ request, image }) => image !== null && !this.hasProblem(request.key))
        .map(async (wish) => {
          for (const place of wish.places.filter(
            ({ size }, index) => wish.places.findIndex((other) => other.size === size) === index,
          )) {
            const batch = newBatch([wish.request], placeName(place), 0, {
              least: 1,
              hostKeys: [],
              askedAt: 0,
              named: false,
            });
            const input = runInput({
              batch,
              settings: wish.settings,
              place,
              image: wish.image?.id ?? "",
              groups: wish.settings.security_groups ?? null,
              userData: wish.userData,
            });
            const distinct = JSON.stringify({
              ...input,
              ClientToken: "",
              TagSpecifications: [],
              UserData: wish.settings.user_data,
            });
            const answer = asked.get(distinct) ?? this.dryRun(input);
            asked.set(distinct, answer);
            const message = await answer;
            if (message !== null) this.problem(wish, message);
          }
        }),
    );
  }

  private async dryRun(input: Parameters<CheckCalls["dryRun"]>[0]): Promise<string | null> {
    try {
      await this.calls.dryRun(input, this.signal);
      return null;
    } catch (error) {
      // A lack of capacity is temporary.
      if (isNoCapacity(error) && error.refusal !== "Unsupported") return null;
      if (isRefusedError(error) || (isDriverError(error) && error.code === DriverError.code)) return brief(error);
      throw error;
    }
  }

  private hasProblem(key: string): boolean {
    return [...this.problems.values()].some((keys) => keys.has(key));
  }
}

/** Why a size cannot run an image. */
function misfits(
  { InstanceType, ProcessorInfo, SupportedRootDeviceTypes, SupportedVirtualizationTypes }: InstanceTypeInfo,
  { ImageId, Architecture, RootDeviceType, VirtualizationType }: Image,
): string[] {
  const fits = (name: string, has: string | undefined, takes: readonly string[] | undefined): string[] =>
    has === undefined || takes === undefined || takes.length === 0 || takes.includes(has)
      ? []
      : [`image ${ImageId ?? ""} ${name} ${has}, and ${InstanceType ?? ""} takes ${takes.join(", ")} only`];
  return [
    ...fits("is for", Architecture, ProcessorInfo?.SupportedArchitectures),
    ...fits("has a root disk of type", RootDeviceType, SupportedRootDeviceTypes),
    ...fits("is virtualized by", VirtualizationType, SupportedVirtualizationTypes),
  ];
}

/** Removes the long encoded details that Amazon appends, which only another call can decode. */
function brief({ message }: Error): string {
  return message.replace(/\s*Encoded authorization failure message: [\w-]+/, "");
}
