/** The EC2 calls that do not concern machines: networks, security groups, consoles, and lookups for checks. */
import type { IpPermission, SecurityGroup, Subnet, Tag, Vpc } from "@aws-sdk/client-ec2";

import { LostReplyError } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";

/** All calls throw the same errors as `Ec2Api`. */
export class Ec2Calls {
  constructor(private readonly api: Pick<Ec2Api, "call">) {}

  /** Subnets by their ids. The cloud refuses the call if it does not know one of them. */
  async subnets(ids: readonly string[], signal: AbortSignal): Promise<Subnet[]> {
    return (
      (
        await this.api.call(
          "DescribeSubnets",
          "describe",
          ({ client, sdk }) => client.send(new sdk.DescribeSubnetsCommand({ SubnetIds: [...ids] })),
          signal,
        )
      ).Subnets ?? []
    );
  }

  /** The network of machines without a subnet. */
  async defaultVpc(signal: AbortSignal): Promise<Vpc | null> {
    const Filters = [{ Name: "is-default", Values: ["true"] }];
    return (
      (
        await this.api.call(
          "DescribeVpcs",
          "describe",
          ({ client, sdk }) => client.send(new sdk.DescribeVpcsCommand({ Filters })),
          signal,
        )
      ).Vpcs?.[0] ?? null
    );
  }

  /** Security groups that match all filters: for each name, one of the values must match. */
  async groups(filters: Readonly<Record<string, readonly string[]>>, signal: AbortSignal): Promise<SecurityGroup[]> {
    const Filters = Object.entries(filters).map(([Name, Values]) => ({ Name, Values: [...Values] }));
    return (
      (
        await this.api.call(
          "DescribeSecurityGroups",
          "describe",
          ({ client, sdk }) => client.send(new sdk.DescribeSecurityGroupsCommand({ Filters })),
          signal,
        )
      ).SecurityGroups ?? []
    );
  }

  /**
   * Creates a security group with its tags.
   * @returns its id.
   */
  async createGroup(
    group: { readonly name: string; readonly description: string; readonly vpc: string; readonly tags: readonly Tag[] },
    signal: AbortSignal,
  ): Promise<string> {
    const input = {
      GroupName: group.name,
      Description: group.description,
      VpcId: group.vpc,
      TagSpecifications: [{ ResourceType: "security-group" as const, Tags: [...group.tags] }],
    };
    const { GroupId } = await this.api.call(
      "CreateSecurityGroup",
      "change",
      ({ client, sdk }) => client.send(new sdk.CreateSecurityGroupCommand(input)),
      signal,
    );
    if (GroupId === undefined) throw new LostReplyError("CreateSecurityGroup: the answer names no group");
    return GroupId;
  }

  /** Adds one rule. Each rule needs its own call: the cloud refuses a whole call if one of its rules exists. */
  async authorize(group: string, rule: IpPermission, signal: AbortSignal): Promise<void> {
    await this.api.call(
      "AuthorizeSecurityGroupIngress",
      "change",
      ({ client, sdk }) =>
        client.send(new sdk.AuthorizeSecurityGroupIngressCommand({ GroupId: group, IpPermissions: [rule] })),
      signal,
    );
  }

  /**
   * The console output of a machine.
   * @param latest true: the current output, which not every instance type supports. False: the output from shortly
   * after the start.
   */
  async console(id: string, latest: boolean, signal: AbortSignal): Promise<string> {
    const input = { InstanceId: id, ...(latest ? { Latest: true } : {}) };
    const { Output } = await this.api.call(
      "GetConsoleOutput",
      "describe",
      ({ client, sdk }) => client.send(new sdk.GetConsoleOutputCommand(input)),
      signal,
    );
    return Buffer.from(Output ?? "", "base64").toString();
  }

  async deleteGroup(group: string, signal: AbortSignal): Promise<void> {
    await this.api.call(
      "DeleteSecurityGroup",
      "change",
      ({ client, sdk }) => client.send(new sdk.DeleteSecurityGroupCommand({ GroupId: group })),
      signal,
    );
  }
}
