/** What a plan's `launch` makes of a call, beyond the usual: disks, spot machines, IPv6 and keys that are passed on. */
import { Ajv } from "ajv";
import { expect, test } from "@jest/globals";

import { launchSchema } from "../../../src/drivers/ec2/schema.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { callsOf, refuse } from "../../support/moto.js";

const { cloud, driver } = useCloud();
const isValid = new Ajv({ strict: false }).compile(launchSchema);
const lastCall = () => Object.fromEntries(callsOf(cloud(), "RunInstances").at(-1) ?? []);

test.each<[object, boolean]>([
  [{ device: "/dev/sdf", type: "io2" }, false],
  [{ device: "/dev/sdf", type: "io2", iops: 3000 }, true],
  [{ device: "/dev/sdf", type: "gp2", iops: 3000 }, false],
  [{ device: "/dev/sdf", type: "gp3", iops: 3000, throughput: 250 }, true],
  [{ device: "/dev/sdf", type: "io1", iops: 3000, throughput: 250 }, false],
  [{ device: "/dev/sdf", throughput: 250 }, true],
  [{ device: "/dev/sdf", kms_key: "alias/disks" }, true],
  [{ device: "/dev/sdf", kms_key: "alias/disks", encrypted: false }, false],
])("a disk %j is accepted: %s", (disk, accepted) => {
  expect(isValid({ disks: [disk] })).toBe(accepted);
});

test.each([
  "MinCount",
  "MaxCount",
  "ClientToken",
  "UserData",
  "TagSpecifications",
  "ImageId",
  "DryRun",
  "launchTemplate",
])("raw keys that bootlevel needs itself, or that are none, are refused: %s", (key) => {
  expect(isValid({ raw: { [key]: "x" } })).toBe(false);
  expect(isValid({ raw: { LaunchTemplate: { LaunchTemplateName: "x" } } })).toBe(true);
});

test("disks, and tags of everything that a launch makes, stand in the call", async () => {
  const launch = {
    disks: [{ device: "/dev/sdf", size_gb: 100, type: "gp3", iops: 3000, throughput: 250, kms_key: "alias/disks" }],
    tags: { team: "shop" },
    public_address: true,
  };
  machinesOf(await driver().launch([wish(newRun(), "db", { launch })], never));
  const call = lastCall();
  expect(call).toMatchObject({
    "BlockDeviceMapping.1.Ebs.Iops": "3000",
    "BlockDeviceMapping.1.Ebs.Throughput": "250",
    "BlockDeviceMapping.1.Ebs.KmsKeyId": "alias/disks",
    "BlockDeviceMapping.1.Ebs.Encrypted": "true",
  });
  const types = Object.entries(call).filter(([key]) => key.endsWith(".ResourceType"));
  expect(types.map(([, type]) => type).sort()).toEqual(["instance", "network-interface", "volume"]);
  for (const [key] of types) {
    const prefix = key.replace("ResourceType", "Tag.");
    expect(Object.entries(call).filter(([name, value]) => name.startsWith(prefix) && value === "team")).toHaveLength(1);
  }
  const [group] = callsOf(cloud(), "CreateSecurityGroup").map((made) => [...made.values()]);
  if (group !== undefined) expect(group).toContain("team");
});

test("keys of raw are merged into the call, and a network interface keeps its group", async () => {
  const raw = {
    CapacityReservationSpecification: { CapacityReservationPreference: "none" },
    Placement: { Tenancy: "default" },
    NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true, Description: "front" }],
  };
  machinesOf(await driver().launch([wish(newRun(), "db", { launch: { raw, zone: "eu-central-1a" } })], never));
  const call = lastCall();
  expect(call).toMatchObject({
    "CapacityReservationSpecification.CapacityReservationPreference": "none",
    "Placement.Tenancy": "default",
    "Placement.AvailabilityZone": "eu-central-1a",
    "NetworkInterface.1.Description": "front",
    "NetworkInterface.1.SecurityGroupId.1": expect.stringMatching(/^sg-/),
    MinCount: "1",
  });
  expect(call).not.toHaveProperty("SecurityGroupId.1");
});

test("spot: fallback asks for spot machines everywhere first, then on demand, and tells so", async () => {
  const told: string[] = [];
  cloud().setRule((action, parameters, nth) =>
    action === "RunInstances" && parameters.get("InstanceMarketOptions.MarketType") === "spot"
      ? nth === 1
        ? { status: 500, code: "InsufficientInstanceCapacity", message: "full" }
        : { status: 400, code: "MaxSpotInstanceCountExceeded", message: "Max spot instance count exceeded" }
      : null,
  );
  const own = driver({}, { warn: (message: string) => void told.push(message) });
  const [machine] = machinesOf(
    await own.launch([wish(newRun(), "web", { launch: { spot: "fallback" }, fallbackSizes: ["m5.xlarge"] })], never),
  );
  const asked = callsOf(cloud(), "RunInstances").map((call) => [
    call.get("InstanceType"),
    call.get("InstanceMarketOptions.MarketType"),
  ]);
  expect(asked).toEqual([
    ["m5.large", "spot"],
    ["m5.xlarge", "spot"],
    ["m5.large", null],
  ]);
  expect(told).toEqual([
    "web: launched as m5.large, since there was no capacity for m5.large (spot), m5.xlarge (spot)",
  ]);
  expect(machine).toMatchObject({ size: "m5.large", zone: expect.stringMatching(/^eu-central-1/) });
});

test.each([
  ["a lack of capacity", "Server.InsufficientInstanceCapacity: none left", ["m5.large", "eu-central-1b", "spot"]],
  ["a spot machine taken back", "Server.SpotInstanceTermination", ["m5.large", "eu-central-1b", "spot"]],
  ["anything else", "Client.InternalError: Client error on launch", ["m5.large", "eu-central-1a", "spot"]],
])("the place where a machine has just died of %s is tried in its turn", async (_what, reason, place) => {
  const died = [{ id: "i-1", size: "m5.large", zone: "eu-central-1a", subnet: null, reason }];
  const launch = { spot: "fallback", zone: ["eu-central-1a", "eu-central-1b"] };
  machinesOf(await driver().launch([wish(newRun(), "web", { launch, died, fallbackSizes: ["m5.xlarge"] })], never));
  const [call] = callsOf(cloud(), "RunInstances");
  expect([
    call?.get("InstanceType"),
    call?.get("Placement.AvailabilityZone"),
    call?.get("InstanceMarketOptions.MarketType") ?? null,
  ]).toEqual(place);
});

test("a machine that runs without the kind of address that is wanted says so", async () => {
  const own = driver({ address: "ipv6" });
  const [launched] = machinesOf(await own.launch([wish(newRun(), "web")], never));
  expect(await own.describe([launched?.id ?? ""], never)).toMatchObject([
    {
      state: "running",
      host: null,
      noAddress: expect.stringContaining("without an IPv6 address: write launch: { ipv6: true }"),
    },
  ]);
});

test.each([
  [
    "UnauthorizedOperation",
    "You are not authorized. Encoded authorization failure message: abc123",
    403,
    /aws sts decode-authorization-message/,
  ],
  [
    "PendingVerification",
    "Your request for accessing resources in this region is being validated",
    400,
    /still verifying the account/,
  ],
  [
    "InvalidParameterValue",
    "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
    400,
    /names a profile, not a role/,
  ],
])("a launch refused by %s says what to do", async (code, message, status, remedy) => {
  cloud().setRule(refuse("RunInstances", code, message, status));
  expect(await driver().launch([wish(newRun(), "web")], never)).toMatchObject([
    { kind: "failed", leftover: null, error: { message: expect.stringMatching(remedy) } },
  ]);
});

test.each([
  ["RequestExpired", "Request has expired", /correct this computer's clock/],
  ["ExpiredToken", "The security token is expired", /log in again \(aws sso login\)/],
  ["OptInRequired", "You are not subscribed to this service", /enable the region for the account/],
])("a cloud that cannot be used because of %s says what to do", async (code, message, remedy) => {
  cloud().setRule(refuse("DescribeInstances", code, message));
  await expect(driver().describe(["i-0123456789abcdef0"], never)).rejects.toThrow(remedy);
});
