/**
 * What the cloud of a lab really has, by its own API and past the proxy: no fault hides anything, and no call is
 * counted.
 */
import {
  EC2Client,
  paginateDescribeInstances,
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeSnapshotsCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  StopInstancesCommand,
  StartInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
  type KeyPairInfo,
  type SecurityGroup,
} from "@aws-sdk/client-ec2";

export interface LabInstance {
  readonly id: string;
  readonly state: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly type: string;
  readonly zone: string;
  /** null: it has none, or none any more. */
  readonly privateAddress: string | null;
  readonly publicAddress: string | null;
  readonly keyName: string | null;
  /** Ids of its security groups. */
  readonly groups: readonly string[];
  /** All else. */
  readonly raw: Instance;
}

export class Inventory {
  readonly client: EC2Client;

  constructor(endpoint: string, region: string) {
    this.client = new EC2Client({
      endpoint,
      region,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
    });
  }

  /** Every machine, also the terminated ones, in the order of their launch. */
  async instances(): Promise<LabInstance[]> {
    const found: LabInstance[] = [];
    for await (const { Reservations } of paginateDescribeInstances({ client: this.client, pageSize: 1000 }, {})) {
      for (const { Instances } of Reservations ?? []) found.push(...(Instances ?? []).map(instanceOf));
    }
    return found;
  }

  /** The user data that a machine was given, decoded; nothing: none. */
  async userData(id: string): Promise<Buffer> {
    const { UserData } = await this.client.send(
      new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: "userData" }),
    );
    return Buffer.from(UserData?.Value ?? "", "base64");
  }

  async securityGroups(): Promise<SecurityGroup[]> {
    return (await this.client.send(new DescribeSecurityGroupsCommand({}))).SecurityGroups ?? [];
  }

  /** The tags of an image or of a snapshot; none: it has none, or is gone. */
  async imageTags(id: string): Promise<Record<string, string>> {
    const { Images = [] } = id.startsWith("ami-")
      ? await this.client.send(new DescribeImagesCommand({ Owners: ["self"] }))
      : {};
    const { Snapshots = [] } = id.startsWith("snap-")
      ? await this.client.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }))
      : {};
    const found = Images.find(({ ImageId }) => ImageId === id) ?? Snapshots.find(({ SnapshotId }) => SnapshotId === id);
    return Object.fromEntries((found?.Tags ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""]));
  }

  async keyPairs(): Promise<KeyPairInfo[]> {
    return (await this.client.send(new DescribeKeyPairsCommand({ IncludePublicKey: true }))).KeyPairs ?? [];
  }

  async change(what: "terminate" | "stop" | "start", InstanceIds: string[]): Promise<void> {
    if (what === "terminate") await this.client.send(new TerminateInstancesCommand({ InstanceIds }));
    if (what === "stop") await this.client.send(new StopInstancesCommand({ InstanceIds }));
    if (what === "start") await this.client.send(new StartInstancesCommand({ InstanceIds }));
  }
}

function instanceOf(raw: Instance): LabInstance {
  const isGone = raw.State?.Name === "terminated";
  return {
    id: raw.InstanceId ?? "",
    state: raw.State?.Name ?? "",
    tags: Object.fromEntries((raw.Tags ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""])),
    type: raw.InstanceType ?? "",
    zone: raw.Placement?.AvailabilityZone ?? "",
    privateAddress: isGone ? null : (raw.PrivateIpAddress ?? null),
    publicAddress: isGone ? null : (raw.PublicIpAddress ?? null),
    keyName: raw.KeyName ?? null,
    groups: (raw.SecurityGroups ?? []).map(({ GroupId }) => GroupId ?? ""),
    raw,
  };
}
