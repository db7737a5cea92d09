/** JSON Schemas of the plan's keys for an EC2 cloud and for a service on it. */

const text = { type: "string", minLength: 1 };
const flag = { type: "boolean" };

function id(prefix: string, example: string): object {
  return {
    ...text,
    pattern: `^${prefix}-[0-9a-f]+$`,
    "x-mistake": { pattern: `{value} is not an id: write for example ${example}` },
  };
}

/** One value, or several that are tried in order. */
function inOrder(item: object): object {
  return { ...item, type: ["string", "array"], items: item, minItems: 1, uniqueItems: true };
}

function closed(properties: Readonly<Record<string, object>>, required: readonly string[] = []): object {
  return { type: "object", additionalProperties: false, properties, required };
}

const source = {
  ...text,
  pattern: "^(auto|https://.+|http://127\\..+|[0-9.]+(/[0-9]+)?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*(/[0-9]+)?)$",
  "x-mistake": { pattern: "{value} is not an address: write for example 203.0.113.7, 198.51.100.0/24 or auto" },
};

/** A cloud's own keys. */
export const cloudSchema = closed({
  region: {
    ...text,
    pattern: "^[a-z0-9-]+$",
    "x-mistake": { pattern: "{value} is not a region: write for example eu-central-1" },
  },
  profile: text,
  endpoint: {
    ...text,
    pattern: "^https?://[^/]+",
    "x-mistake": { pattern: "{value} is not an address: write for example https://cloud.example.com" },
  },
  address: { enum: ["public", "private", "ipv6"] },
  heeds_tokens: flag,
  visibility_seconds: { type: "integer", minimum: 0, maximum: 3600 },
  allow_ssh_from: inOrder(source),
});

const MOST_IOPS = 256_000;
const [LEAST_THROUGHPUT, MOST_THROUGHPUT] = [125, 2_000];

/** Keys of RunInstances that bootlevel sets itself: by them it finds its machines again, and lets nobody else in. */
const OWN_KEYS = [
  "MinCount",
  "MaxCount",
  "ClientToken",
  "UserData",
  "TagSpecifications",
  "DryRun",
  "ImageId",
  "InstanceType",
];

const diskKeys = closed(
  {
    device: {
      ...text,
      pattern: "^(/dev/)?[a-z0-9]+$",
      "x-mistake": { pattern: "{value} is not a device: write for example /dev/sda1" },
    },
    size_gb: { type: "integer", minimum: 1, maximum: 65_536 },
    type: { enum: ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"] },
    encrypted: flag,
    iops: { type: "integer", minimum: 100, maximum: MOST_IOPS },
    throughput: { type: "integer", minimum: LEAST_THROUGHPUT, maximum: MOST_THROUGHPUT },
    kms_key: text,
  },
  ["device"],
);

/** Forbids a combination of keys. */
function never(combination: object, mistake: string): object {
  return { not: combination, "x-mistake": { not: mistake } };
}

function ofType(...types: readonly string[]): object {
  return { properties: { type: { enum: types } } };
}

const disk = {
  ...diskKeys,
  allOf: [
    never(
      { ...ofType("io1", "io2"), required: ["type"], not: { required: ["iops"] } },
      "{subject} is of type io1 or io2 and lacks iops: write for example iops: 3000",
    ),
    never(
      { ...ofType("gp2", "st1", "sc1", "standard"), required: ["type", "iops"] },
      "{subject} has iops, which only the types io1, io2 and gp3 take",
    ),
    never(
      { ...ofType("gp2", "io1", "io2", "st1", "sc1", "standard"), required: ["type", "throughput"] },
      "{subject} has throughput, which only the type gp3 takes",
    ),
    never(
      { properties: { encrypted: { const: false } }, required: ["encrypted", "kms_key"] },
      "{subject} has a kms_key and says encrypted: false: remove one of them",
    ),
  ],
};

/** `launch:` of a service. */
export const launchSchema = {
  ...closed({
    zone: inOrder({ ...text, pattern: "^[a-z0-9-]+$" }),
    subnet: inOrder(id("subnet", "subnet-0a1b2c3d")),
    security_groups: { type: "array", items: id("sg", "sg-0a1b2c3d"), minItems: 1, uniqueItems: true },
    public_address: flag,
    key_name: text,
    instance_profile: text,
    placement_group: text,
    disks: { type: "array", items: disk },
    tags: {
      type: "object",
      propertyNames: {
        type: "string",
        minLength: 1,
        maxLength: 128,
        pattern: "^(?!bootlevel:|aws:)",
        "x-mistake": { pattern: "{value} is a reserved tag: names that begin with bootlevel: or aws: are taken" },
      },
      additionalProperties: { type: "string", maxLength: 256 },
      maxProperties: 40,
    },
    user_data: text,
    spot: { enum: [true, false, "fallback"] },
    ipv6: flag,
    elastic_ip: flag,
    raw: {
      type: "object",
      propertyNames: {
        type: "string",
        pattern: `^(?!(${OWN_KEYS.join("|")})$)[A-Z][A-Za-z0-9]*$`,
        "x-mistake": {
          pattern:
            "{value} cannot be passed on: write a key of RunInstances, such as LaunchTemplate; image, size, user_data and tags have keys of their own, and bootlevel itself sets counts and tokens",
        },
      },
    },
    apart: flag,
    shutdown: { enum: ["terminate", "stop"] },
    metadata: closed({
      tokens: { enum: ["required", "optional"] },
      hop_limit: { type: "integer", minimum: 1, maximum: 64 },
    }),
  }),
  not: { required: ["zone", "subnet"] },
  "x-mistake": { not: "{subject} has zone and subnet: a subnet lies in a zone, so write only one of them" },
};
