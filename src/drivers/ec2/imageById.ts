import type { Image } from "@aws-sdk/client-ec2";

import type { Ec2Api } from "./api.js";
import { isNoSuchImage } from "./errors.js";

/**
 * The image with that id, or null if the cloud does not know it.
 * @throws the errors of calls of `Ec2Api`
 */
export async function imageById(id: string, api: Pick<Ec2Api, "call">, signal: AbortSignal): Promise<Image | null> {
  try {
    const { Images } = await api.call(
      "DescribeImages",
      "describe",
      ({ client, sdk }) => client.send(new sdk.DescribeImagesCommand({ ImageIds: [id] })),
      signal,
    );
    return Images?.[0] ?? null;
  } catch (error) {
    if (isNoSuchImage(error)) return null;
    throw error;
  }
}
