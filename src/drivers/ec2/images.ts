/** Resolves a service's `image:`. */
import { DriverError } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";

/**
 * The ImageId for RunInstances.
 * @param written `ami-…`, `ssm:/path` (EC2 itself resolves the parameter), or `newest:OWNER/NAME PATTERN`.
 * @throws DriverError if it is none of these or no image matches; the errors of the call.
 */
export async function imageId(written: string, api: Ec2Api, signal: AbortSignal): Promise<string> {
  if (/^ami-[0-9a-zA-Z]+$/.test(written)) return written;
  if (/^ssm:\S+$/.test(written)) return `resolve:${written}`;
  const [, owner, pattern] = /^newest:([^/]+)\/(.+)$/.exec(written) ?? [];
  if (owner === undefined || pattern === undefined)
    throw new DriverError(`"${written}" is not an image: write ami-…, ssm:/path/of/a/parameter or newest:OWNER/NAME-*`);
  const images = (await api.images(owner, pattern, signal)).filter(({ ImageId }) => ImageId !== undefined);
  const newest = images.sort(
    (a, b) =>
      (b.CreationDate ?? "").localeCompare(a.CreationDate ?? "") || (a.ImageId ?? "").localeCompare(b.ImageId ?? ""),
  )[0];
  if (newest?.ImageId === undefined)
    throw new DriverError(`${owner} has no image in this region with a name like "${pattern}"`);
  return newest.ImageId;
}
