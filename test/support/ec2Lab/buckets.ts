/** The rates at which Amazon EC2 takes calls, as it publishes them (ec2/latest/devguide/ec2-api-throttling.html). */
import { refusal, type Call, type Layer } from "../moto.js";

export interface BucketSize {
  /** Tokens of a full bucket. */
  readonly size: number;
  readonly perSecond: number;
}

const QUESTIONS: BucketSize = { size: 100, perSecond: 20 };
const WHOLE_LISTS: BucketSize = { size: 50, perSecond: 10 };
const CHANGES: BucketSize = { size: 50, perSecond: 5 };
/** Questions that cost more when they name no filter, no page and no ids. */
const LISTS = new Set([
  "DescribeInstances",
  "DescribeInstanceStatus",
  "DescribeNetworkInterfaces",
  "DescribeSecurityGroups",
  "DescribeSnapshots",
  "DescribeSpotInstanceRequests",
  "DescribeVolumes",
]);
/** Calls with rates of their own; those that Amazon calls resource-intensive have the rates of all other changes. */
const REQUESTS: Readonly<Record<string, BucketSize>> = {
  RunInstances: { size: 5, perSecond: 2 },
  StartInstances: { size: 5, perSecond: 2 },
  TerminateInstances: { size: 100, perSecond: 5 },
  CreateTags: { size: 100, perSecond: 10 },
  DeleteTags: { size: 100, perSecond: 10 },
  CreateNetworkInterface: { size: 100, perSecond: 5 },
};
/** Calls that also take a token for each machine. */
const MACHINES: Readonly<Record<string, BucketSize>> = {
  RunInstances: { size: 1000, perSecond: 2 },
  StartInstances: { size: 1000, perSecond: 2 },
  TerminateInstances: { size: 1000, perSecond: 20 },
  StopInstances: { size: 1000, perSecond: 20 },
};

/** Each action has buckets of its own, of these sizes. */
export class Buckets {
  private readonly levels = new Map<string, { tokens: number; at: number }>();

  /** @param now milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Takes a call's tokens. @returns whether there were enough; otherwise none is taken. */
  take({ action, parameters }: Call): boolean {
    const wanted: [string, BucketSize, number][] = [requestOf(action, parameters)];
    const machines = MACHINES[action];
    if (machines !== undefined) wanted.push([`${action} machines`, machines, machinesOf(parameters)]);
    const levels = wanted.map(([name, size, count]) => ({ level: this.filled(name, size), count }));
    if (levels.some(({ level, count }) => level.tokens < count)) return false;
    for (const { level, count } of levels) level.tokens -= count;
    return true;
  }

  private filled(name: string, { size, perSecond }: BucketSize): { tokens: number; at: number } {
    const now = this.now();
    const level = this.levels.get(name) ?? { tokens: size, at: now };
    this.levels.set(name, level);
    level.tokens = Math.min(size, level.tokens + ((now - level.at) / 1000) * perSecond);
    level.at = now;
    return level;
  }
}

function requestOf(action: string, parameters: URLSearchParams): [string, BucketSize, number] {
  const own = REQUESTS[action];
  if (own !== undefined) return [action, own, 1];
  if (!/^(Describe|Get|List|Search)/.test(action)) return [action, CHANGES, 1];
  const isNarrow = [...parameters.keys()].some((key) => /^(Filter\.|MaxResults$|NextToken$|\w+Ids?\.\d)/.test(key));
  return LISTS.has(action) && !isNarrow ? [`${action} whole`, WHOLE_LISTS, 1] : [action, QUESTIONS, 1];
}

/** Machines that a call is about. */
function machinesOf(parameters: URLSearchParams): number {
  return parameters.has("MaxCount")
    ? Number(parameters.get("MaxCount"))
    : [...parameters.keys()].filter((key) => key.startsWith("InstanceId.")).length;
}

/** Refuses calls for which a bucket has no token. @param buckets null: none are kept. */
export function bucketLayer(buckets: () => Buckets | null): Layer {
  return async (call, next) =>
    buckets()?.take(call) === false
      ? refusal({ status: 503, code: "RequestLimitExceeded", message: "Request limit exceeded." })
      : next(call);
}
