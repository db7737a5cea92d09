/** Reports copied to a bucket, of a cloud that speaks S3's API (moto). */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { boot, levels } from "../support/liveRun.js";
import { startCloud, type Cloud } from "../support/moto.js";

const env = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "bucket-s3cr3t",
  AWS_REGION: "eu-north-1",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
};
let cloud: Cloud;
let client: S3Client;

beforeAll(async () => {
  cloud = await startCloud();
  client = new S3Client({
    endpoint: cloud.direct,
    forcePathStyle: true,
    region: env.AWS_REGION,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  await client.send(
    new CreateBucketCommand({ Bucket: "results", CreateBucketConfiguration: { LocationConstraint: "eu-north-1" } }),
  );
}, 90_000);

afterAll(async () => {
  client.destroy();
  await cloud.stop();
});

async function stored(key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: "results", Key: key }));
  return Buffer.from(await (Body as { transformToByteArray(): Promise<Uint8Array> }).transformToByteArray());
}

const keys = async () =>
  ((await client.send(new ListObjectsV2Command({ Bucket: "results" }))).Contents ?? []).map(({ Key }) => Key);
const sum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("archives arrive byte for byte; what is something else there stays unless told otherwise", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("shop", [
        "web: { replicas: 2, boot: { command: 'head -c 300000 /dev/urandom > big' }, report: { patterns: [big] } }",
      ]),
    ),
    "shop",
  );
  await own.call(["terminate", "shop", "--yes"]);
  const endpoint = { env: { ...env, AWS_ENDPOINT_URL: cloud.direct } };
  expect(await own.call(["reports", "shop", "--to", "s3://results/a b/ünï/"], endpoint)).toMatchObject({
    code: 0,
    stdout: "web-1 copied to s3://results/a b/ünï/web-1.tar.gz\nweb-2 copied to s3://results/a b/ünï/web-2.tar.gz\n",
    stderr: "",
  });
  const folder = join(own.home, "runs", readdirSync(join(own.home, "runs"))[0] as string, "reports");
  const archive = readFileSync(join(folder, "web-1.tar.gz"));
  expect(sum(await stored("a b/ünï/web-1.tar.gz"))).toBe(sum(archive));
  await client.send(new PutObjectCommand({ Bucket: "results", Key: "a b/ünï/web-2.tar.gz", Body: "mine" }));
  const again = await own.json(["reports", "shop", "--to", "s3://results/a b/ünï", "--endpoint", cloud.direct], {
    env,
  });
  expect(again).toMatchObject({
    code: 1,
    document: {
      copied: [
        { outcome: "there", message: "" },
        { outcome: "failed", message: expect.stringContaining("--overwrite") },
      ],
    },
  });
  expect((await stored("a b/ünï/web-2.tar.gz")).toString()).toBe("mine");
  expect(
    await own.call(["reports", "shop", "web-2", "--to", "s3://results/a b/ünï", "--overwrite"], endpoint),
  ).toMatchObject({ code: 0 });
  expect(sum(await stored("a b/ünï/web-2.tar.gz"))).toBe(sum(readFileSync(join(folder, "web-2.tar.gz"))));
  expect(await own.call(["reports", "shop", "web-1", "--to", "s3://results"], endpoint)).toMatchObject({ code: 0 });
  expect((await keys()).sort()).toEqual(["a b/ünï/web-1.tar.gz", "a b/ünï/web-2.tar.gz", "web-1.tar.gz"]);
});

test("a bucket that is not there, no credentials, no region and no answer are told with what helps", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(levels("shop", ["web: { boot: { command: 'true' }, report: { patterns: ['*'] } }"])),
    "shop",
  );
  await own.call(["reports", "shop", "--collect"]);
  const message = async (to: string, own_: Record<string, string>) =>
    (await own.json(["reports", "shop", "--to", to], { env: own_ })).document.copied[0].message as string;
  expect(await message("s3://nowhere/x", { ...env, AWS_ENDPOINT_URL: cloud.direct })).toContain(
    "create the bucket first",
  );
  expect(
    await message("s3://results", {
      AWS_REGION: "eu-north-1",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ENDPOINT_URL: cloud.direct,
    }),
  ).toContain("set AWS_ACCESS_KEY_ID");
  expect(
    await message("s3://results", {
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_ENDPOINT_URL: cloud.direct,
    }),
  ).toContain("set AWS_REGION");
  const refused = await own.call(["reports", "shop", "--to", "s3://results"], {
    env: { ...env, AWS_ENDPOINT_URL: "http://127.0.0.1:1" },
  });
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain("ECONNREFUSED");
  expect(refused.stderr + refused.stdout).not.toContain("bucket-s3cr3t");
}, 90_000);
