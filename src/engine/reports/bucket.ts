/** A bucket that archives are copied to: Amazon S3, or what speaks its API. */
import { S3Client, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

import type { Environment } from "../../model/environment.js";
import { StateError } from "../../state/contract/errors.js";
import { OccupiedError, type CopyOptions, type Destination } from "./destination.js";

/** How long a connection may take, and how long it may be silent, in milliseconds. */
const CONNECT_MS = 10_000;
const SILENT_MS = 120_000;

/**
 * Opens a bucket with the SDK's usual credentials and region. Nothing is asked yet. @throws StateError for what names
 * no bucket
 */
export function openBucket({ to, overwrite, endpoint }: CopyOptions, env: Environment): Destination {
  const [, bucket, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})(?:\/(.*))?$/.exec(to) ?? [];
  if (bucket === undefined) throw new StateError(`${to} names no bucket`, "write s3://bucket or s3://bucket/prefix");
  const prefix = path.replace(/\/+$/, "");
  const own = endpoint ?? env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"] ?? "";
  const client = new S3Client({
    // Elsewhere than at Amazon's, a bucket seldom has a host name of its own.
    ...(own === "" ? {} : { endpoint: own, forcePathStyle: true }),
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: SILENT_MS },
    // Stores that are not Amazon's know no checksum at the end of a stream.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const key = (name: string) => (prefix === "" ? name : `${prefix}/${name}`);
  const place = (name: string) => `s3://${bucket}/${key(name)}`;
  return {
    place,
    async put(source, name) {
      const { bytes, sha256 } = source;
      const body = await source.open();
      const condition = overwrite ? {} : { IfNoneMatch: "*" };
      try {
        await client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key(name),
            Body: body,
            ContentLength: bytes,
            ContentType: "application/gzip",
            Metadata: { sha256 },
            ...condition,
          }),
        );
        return "copied";
      } catch (error) {
        if (!isOccupied(error)) throw explain(error);
        if ((await sumOf(client, bucket, key(name))) === sha256) return "there";
        throw new OccupiedError(place(name));
      } finally {
        body.destroy();
      }
    },
    close: () => {
      client.destroy();
    },
  };
}

function isOccupied(error: unknown): boolean {
  return (
    (error as Error).name === "PreconditionFailed" ||
    (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 412
  );
}

/** The sum that was noted when the object was put there; null if it is not bootlevel's, or nobody may know. */
async function sumOf(client: S3Client, bucket: string, key: string): Promise<string | null> {
  try {
    return (await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).Metadata?.["sha256"] ?? null;
  } catch (error) {
    const { name } = error as Error;
    if (name === "403" || name === "Forbidden" || name === "AccessDenied" || name === "NotFound") return null;
    throw explain(error);
  }
}

/** An error of the SDK's in words that help. */
function explain(cause: unknown): Error {
  const { name, message } = cause as Error;
  const help =
    name === "CredentialsProviderError"
      ? ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
      : message.includes("Region is missing")
        ? ": set AWS_REGION"
        : name === "NoSuchBucket"
          ? ": make the bucket first"
          : "";
  return new Error(`${name === "Error" ? "" : `${name}: `}${message}${help}`, { cause });
}
