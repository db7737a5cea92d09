/**
 * Rights, as Amazon checks them: what a call needs, on which things, and whether a policy gives it. moto's own check
 * cannot serve: it knows no conditions beside StringEquals, and a resource is always "*" to it.
 */
import { refusal, type Call, type Layer } from "../moto.js";
import type { Inventory } from "./inventory.js";

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One right that a call needs. */
export interface Need {
  readonly action: string;
  /** A thing by its ARN; "*" where Amazon knows the action only. */
  readonly resource: string;
  /** What conditions may ask for. */
  readonly context: Readonly<Record<string, string>>;
}

type Tags = Readonly<Record<string, string>>;
/** The tags of a thing by its id; none: it has none, or is gone. */
type TagsOf = (id: string) => Promise<Tags>;

const ARN = "arn:aws:ec2:eu-central-1:123456789012:";

/** A thing's ARN; images and snapshots have no account in theirs. */
function arnOf(kind: string, id: string): string {
  return kind === "image" || kind === "snapshot" ? `arn:aws:ec2:eu-central-1::${kind}/${id}` : `${ARN}${kind}/${id}`;
}

/** The parts of a policy that give a right: every one of them would do. */
export function grantsOf(
  statements: readonly Statement[],
  { action, resource, context }: Need,
): { readonly Sid: string; readonly action: string; readonly resource: string }[] {
  return statements.flatMap(({ Sid, Action, Resource, Condition = {} }) => {
    const holds =
      listOf(Action).includes(action) &&
      Object.entries(Condition).every(([operator, keys]) =>
        Object.entries(keys).every(([key, wanted]) => fulfils(operator, context[key], wanted)),
      );
    return listOf(Resource)
      .filter((pattern) => holds && isLike(pattern, resource))
      .map((pattern) => ({ Sid, action, resource: pattern }));
  });
}

/** All that a policy gives, in the same form. */
export function grantsIn(statements: readonly Statement[]): ReturnType<typeof grantsOf> {
  return statements.flatMap(({ Sid, Action, Resource }) =>
    listOf(Action).flatMap((action) => listOf(Resource).map((resource) => ({ Sid, action, resource }))),
  );
}

/** Refuses what a policy does not give. @param seen is told of every right that was needed. */
export function policyLayer(
  policy: () => readonly Statement[],
  inventory: Inventory,
  seen: (need: Need) => void,
): Layer {
  return async (call, next) => {
    for (const need of await needsOf(call, (id) => tagsOf(inventory, id))) {
      seen(need);
      if (grantsOf(policy(), need).length === 0) return unauthorized(need);
    }
    return next(call);
  };
}

function unauthorized({ action, resource }: Need): ReturnType<typeof refusal> {
  const where = resource === "*" ? "" : ` on resource: ${resource}`;
  const message = `You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/operator is not authorized to perform: ${action}${where} because no identity-based policy allows the ${action} action`;
  return refusal({ status: 403, code: "UnauthorizedOperation", message });
}

function fulfils(operator: string, value: string | undefined, wanted: string): boolean {
  if (operator === "Null") return (value === undefined) === (wanted === "true");
  if (operator === "StringEquals") return value === wanted;
  throw new Error(`nobody has told what ${operator} means`);
}

function isLike(pattern: string, arn: string): boolean {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(arn);
}

function listOf(one: string | readonly string[]): readonly string[] {
  return typeof one === "string" ? [one] : one;
}

/** What a call needs, by "Actions, resources, and condition keys for Amazon EC2". */
async function needsOf(call: Call, tags: TagsOf): Promise<Need[]> {
  const { action, parameters } = call;
  const named = (prefix: string): string[] =>
    [...parameters].filter(([name]) => new RegExp(`^${prefix}(\\.\\d+)?$`).test(name)).map(([, value]) => value);
  const own = (kind: string, ids: readonly string[]): Promise<Need[]> =>
    Promise.all(
      ids.map(async (id) => ({
        action: `ec2:${action}`,
        resource: arnOf(kind, id),
        context: labelled("aws:ResourceTag", await tags(id)),
      })),
    );
  if (action.startsWith("Describe")) return [{ action: `ec2:${action}`, resource: "*", context: {} }];
  switch (action) {
    case "RunInstances":
      return runNeeds(parameters, named);
    case "CreateSecurityGroup":
      return [
        ...made("ec2:CreateSecurityGroup", "security-group", parameters),
        { action: "ec2:CreateSecurityGroup", resource: `${ARN}vpc/${named("VpcId").join()}`, context: {} },
        ...marks(action, parameters),
      ];
    case "TerminateInstances":
    case "GetConsoleOutput":
      return own("instance", named("InstanceId"));
    case "AuthorizeSecurityGroupIngress":
    case "DeleteSecurityGroup":
      return own("security-group", named("GroupId"));
    case "CreateImage":
      return [
        ...(await own("instance", named("InstanceId"))),
        ...["image", "snapshot"].flatMap((kind) => made("ec2:CreateImage", kind, parameters)),
        ...marks(action, parameters),
      ];
    case "DeregisterImage":
      return own("image", named("ImageId"));
    case "DeleteSnapshot":
      return own("snapshot", named("SnapshotId"));
    case "CreateTags":
      return own("instance", named("ResourceId"));
    default:
      throw new Error(`nobody has told what rights ${action} needs`);
  }
}

function runNeeds(parameters: URLSearchParams, named: (prefix: string) => string[]): Need[] {
  const [image = ""] = named("ImageId");
  const used = (resources: readonly string[]): Need[] =>
    resources.map((resource) => ({ action: "ec2:RunInstances", resource, context: {} }));
  const network = "NetworkInterface\\.1\\.";
  return [
    ...used([
      `arn:aws:ec2:eu-central-1::image/${image.startsWith("ami-") ? image : "ami-0"}`,
      `${ARN}network-interface/eni-0`,
    ]),
    ...used(named("KeyName").map((name) => `${ARN}key-pair/${name}`)),
    ...used(named("Placement\\.GroupName").map((name) => `${ARN}placement-group/${name}`)),
    // Who names none gets the default ones.
    ...used(
      orElse([...named("SubnetId"), ...named(`${network}SubnetId`)], "subnet-0").map((id) => `${ARN}subnet/${id}`),
    ),
    ...used(
      orElse([...named("SecurityGroupId"), ...named(`${network}SecurityGroupId`)], "sg-0").map(
        (id) => `${ARN}security-group/${id}`,
      ),
    ),
    ...[
      "instance",
      "volume",
      ...named("InstanceMarketOptions\\.MarketType").map(() => "spot-instances-request"),
    ].flatMap((kind) => made("ec2:RunInstances", kind, parameters)),
    ...marks("RunInstances", parameters),
    // No calls of the launcher's: EC2 looks these up itself, with the launcher's rights.
    ...(image.startsWith("resolve:ssm:")
      ? [
          {
            action: "ssm:GetParameters",
            resource: `arn:aws:ssm:eu-central-1::parameter${image.slice("resolve:ssm:".length)}`,
            context: {},
          },
        ]
      : []),
    ...[...named("IamInstanceProfile\\.Name"), ...named("IamInstanceProfile\\.Arn")].map((name) => ({
      action: "iam:PassRole",
      resource: `arn:aws:iam::123456789012:role/of-${name}`,
      context: { "iam:PassedToService": "ec2.amazonaws.com" },
    })),
    // As in an account that has launched no spot machine before.
    ...named("InstanceMarketOptions\\.MarketType").map(() => ({
      action: "iam:CreateServiceLinkedRole",
      resource: "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot",
      context: { "iam:AWSServiceName": "spot.amazonaws.com" },
    })),
  ];
}

/** The right to make a thing with the tags that it gets in the same call. */
function made(action: string, kind: string, parameters: URLSearchParams): Need[] {
  return [
    {
      action,
      resource: arnOf(kind, "new"),
      context: labelled("aws:RequestTag", specified(parameters).get(kind) ?? {}),
    },
  ];
}

/** Tags in a call that makes things are a right of their own. */
function marks(action: string, parameters: URLSearchParams): Need[] {
  return [...specified(parameters)].map(([kind, tags]) => ({
    action: "ec2:CreateTags",
    resource: arnOf(kind, "new"),
    context: { "ec2:CreateAction": action, ...labelled("aws:RequestTag", tags) },
  }));
}

/** Tags of a call's TagSpecifications, by the kind of thing. */
function specified(parameters: URLSearchParams): Map<string, Tags> {
  const found = new Map<string, Tags>();
  for (let place = 1; parameters.has(`TagSpecification.${place}.ResourceType`); place += 1) {
    const tags: Record<string, string> = {};
    for (let tag = 1; parameters.has(`TagSpecification.${place}.Tag.${tag}.Key`); tag += 1)
      tags[parameters.get(`TagSpecification.${place}.Tag.${tag}.Key`) ?? ""] =
        parameters.get(`TagSpecification.${place}.Tag.${tag}.Value`) ?? "";
    found.set(parameters.get(`TagSpecification.${place}.ResourceType`) ?? "", tags);
  }
  return found;
}

function labelled(label: string, tags: Tags): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`${label}/${key}`, value]));
}

function orElse(some: readonly string[], otherwise: string): readonly string[] {
  return some.length === 0 ? [otherwise] : some;
}

/** A terminated machine loses its tags at Amazon, soon. */
async function tagsOf(inventory: Inventory, id: string): Promise<Tags> {
  if (id.startsWith("sg-")) {
    const group = (await inventory.securityGroups()).find(({ GroupId }) => GroupId === id);
    return Object.fromEntries((group?.Tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value]));
  }
  if (/^(ami|snap)-/.test(id)) return inventory.imageTags(id);
  return (
    (await inventory.instances()).find((instance) => instance.id === id && instance.state !== "terminated")?.tags ?? {}
  );
}
