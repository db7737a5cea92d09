/** Copies archives to a bucket: Amazon S3, or a service with its API. */
import { S3Client, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

import type { Environment } from "../../model/environment.js";
import { StateError } from "../../state/contract/errors.js";
import { OccupiedError, type CopyOptions, type Destination } from "./destination.js";

/** Time limits for connecting, and for a silent connection, in milliseconds. */
const CONNECT_MS = 10_000;
const SILENT_MS = 120_000;

/**
 * Opens a bucket with the SDK's usual credentials and region. Makes no request yet.
 * @throws StateError for an address without a bucket
 */
export function openBucket({ to, overwrite, endpoint }: CopyOptions, env: Environment): Destination {
  const [, bucket, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})(?:\/(.*))?$/.exec(to) ?? [];
  if (bucket === undefined) throw new StateError(`${to} names no bucket`, "write s3://bucket or s3://bucket/prefix");
  const prefix = path.replace(/\/+$/, "");
  const own = endpoint ?? env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"] ?? "";
  const client = new S3Client({
    // Outside Amazon, a bucket rarely has its own host name.
    ...(own === "" ? {} : { endpoint: own, forcePathStyle: true }),
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: SILENT_MS },
    // Other stores do not support checksums at the end of a stream.
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

/** The SHA-256 that bootlevel stored with the object; null if it did not create the object, or may not read it. */
async function sumOf(client: S3Client, bucket: string, key: string): Promise<string | null> {
  try {
    return (await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).Metadata?.["sha256"] ?? null;
  } catch (error) {
    const { name } = error as Error;
    if (name === "403" || name === "Forbidden" || name === "AccessDenied" || name === "NotFound") return null;
    throw explain(error);
  }
}

/** An SDK error, with what to do. */
function explain(cause: unknown): Error {
  const { name, message } = cause as Error;
  const help =
    name === "CredentialsProviderError"
      ? ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
      : message.includes("Region is missing")
        ? ": set AWS_REGION"
        : name === "NoSuchBucket"
          ? ": create the bucket first"
          : "";
  return new Error(`${name === "Error" ? "" : `${name}: `}${message}${help}`, { cause });
}
