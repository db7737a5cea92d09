/**
 * Prepares what a launch call needs beside the plan's keys: the image's id, security groups, and user data with a host
 * key for the first connection.
 */
import { makeKeyPair } from "../../machines/ssh/keyPair.js";
import type { LaunchRequest } from "../contract/driver.js";
import { DriverError } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import { imageId } from "./images.js";
import type { SecurityGroups } from "./securityGroup.js";
import type { LaunchSettings, Place } from "./settings.js";
import { userData } from "./userData.js";

export interface Prepared {
  readonly image: string;
  /** Ids of security groups. */
  readonly groups: readonly string[];
  /** The public host key in the user data, or null. */
  readonly hostKey: string | null;
  readonly userData: Buffer | null;
}

/** Prepares calls. Each lookup in the cloud is made once. */
export class Preparation {
  /** Resolved images. They must not change in a repetition: EC2 refuses a known token with another image. */
  private readonly images = new Map<string, Promise<string>>();

  constructor(
    private readonly api: Ec2Api,
    private readonly groups: Pick<SecurityGroups, "groupFor">,
  ) {}

  /** @throws DriverError for a service that cannot be launched this way; the errors of the calls */
  async of(settings: LaunchSettings, place: Place, request: LaunchRequest, signal: AbortSignal): Promise<Prepared> {
    if (request.image === null) throw new DriverError("it has no image: write for example image: ami-0a1b2c3d");
    const hostKey = request.contact?.hostKey === true ? makeKeyPair("") : null;
    const told = userData(settings.user_data ?? null, request.contact, settings.key_name ?? null, hostKey);
    const image = await this.image(request.image, signal);
    const wish = {
      mark: request.mark,
      subnet: place.subnet,
      publicAddress: settings.public_address,
      tags: settings.tags,
    };
    const groups = settings.security_groups ?? [await this.groups.groupFor(wish, signal)];
    return { image, groups, hostKey: hostKey?.publicKey ?? null, userData: told };
  }

  private image(written: string, signal: AbortSignal): Promise<string> {
    const known = this.images.get(written);
    if (known !== undefined) return known;
    const asked = imageId(written, this.api, signal);
    this.images.set(written, asked);
    asked.catch(() => this.images.delete(written));
    return asked;
  }
}
