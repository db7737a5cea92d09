/**
 * The EC2 calls of the driver. The SDK is loaded lazily, calls respect the account's rate limits, and errors are
 * explained.
 */
import type {
  DescribeInstancesCommandInput,
  EC2Client,
  Filter,
  Image,
  Instance,
  RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";

import {
  CloudUnreachableError,
  LostReplyError,
  isLostReplyError,
  isThrottledError,
  type DriverContext,
} from "../contract/driver.js";
import { ProxyAgent } from "./httpsProxy.js";
import type { Environment } from "../../model/environment.js";
import { explain, isNotFound, isRefusedError } from "./errors.js";
import { onlyXml } from "./strangeReply.js";
import { tagList, type Tags } from "./machines.js";
import { limiterOf, type CallKind, type TokenBuckets } from "../shared/tokenBucket.js";

type Sdk = typeof import("@aws-sdk/client-ec2");

/** The parts that are needed to send a call. */
export interface Opened {
  readonly sdk: Sdk;
  readonly client: EC2Client;
  readonly limiter: TokenBuckets;
}

/** A throttled call is reported after this time, in milliseconds, and then each time it has doubled. */
const REPORT_AFTER_MS = 5_000;
/** How long a cloud may give nothing but errors from the first query on, in milliseconds: it is not the one, or down. */
const FIRST_ANSWER_MS = 30_000;
const CONNECT_MS = 10_000;
const REQUEST_MS = 60_000;
/** How long a throttled call is retried, in milliseconds. */
const THROTTLED_MS = 15 * 60_000;
/** Most ids in one query, and most machines in one page of an answer. */
const MOST_IDS = 1000;
/** Most values that EC2 accepts for one filter. */
const MOST_VALUES = 200;

/**
 * All calls throw the contract's errors (`explain`), and an `AbortError` if the signal aborts while they wait for their
 * turn.
 */
export class Ec2Api {
  private opened: Promise<Opened> | null = null;
  private asked: string | null = null;
  /** Why no more changes are allowed: the error that `permit` threw right before a request. */
  private denied: { readonly error: unknown } | null = null;
  /** When the first query was made that got no answer; null: none was, or the cloud has answered. */
  private silentSince: number | null = null;
  private hasAnswered = false;

  constructor(
    private readonly context: Pick<DriverContext, "cloud" | "options" | "clock" | "permit" | "warn"> &
      Partial<Pick<DriverContext, "env">>,
  ) {}

  /**
   * The host that answered last, whether its name came from the plan, the environment, the profile, or the SDK's rules.
   * Null: none yet.
   */
  get host(): string | null {
    return this.asked;
  }

  /**
   * Launches machines: at least one, at most `input.MaxCount`.
   * @param announce awaited right before each request to the cloud.
   */
  async run(input: RunInstancesCommandInput, signal: AbortSignal, announce: () => Promise<void>): Promise<Instance[]> {
    await (await this.open()).limiter.take("launched", signal, input.MaxCount ?? 1);
    const { Instances = [] } = await this.call(
      "RunInstances",
      "run",
      ({ client, sdk }) => client.send(new sdk.RunInstancesCommand(input)),
      signal,
      announce,
    );
    if (Instances.length === 0 || Instances.some(({ InstanceId }) => InstanceId === undefined))
      throw new LostReplyError("RunInstances: the answer names no machine");
    return Instances;
  }

  /** How many machines may be launched now without waiting. */
  async launchable(): Promise<number> {
    return (await this.open()).limiter.available("launched");
  }

  /** Tags machines. */
  async tag(ids: readonly string[], tags: Tags, signal: AbortSignal): Promise<void> {
    await this.call(
      "CreateTags",
      "tag",
      ({ client, sdk }) => client.send(new sdk.CreateTagsCommand({ Resources: [...ids], Tags: tagList(tags) })),
      signal,
    );
  }

  /** Begins to destroy machines. */
  async terminate(ids: readonly string[], signal: AbortSignal): Promise<void> {
    await (await this.open()).limiter.take("terminated", signal, ids.length);
    await this.call(
      "TerminateInstances",
      "terminate",
      ({ client, sdk }) => client.send(new sdk.TerminateInstancesCommand({ InstanceIds: [...ids] })),
      signal,
    );
  }

  /** Images of an owner whose name fits a pattern of `*` and `?`, in no order. */
  async images(owner: string, pattern: string, signal: AbortSignal): Promise<Image[]> {
    const Filters = [
      { Name: "name", Values: [pattern] },
      { Name: "state", Values: ["available"] },
    ];
    const { Images } = await this.call(
      "DescribeImages",
      "describe",
      ({ client, sdk }) => client.send(new sdk.DescribeImagesCommand({ Owners: [owner], Filters })),
      signal,
    );
    return Images ?? [];
  }

  /** The machines that the cloud knows, by id. Unknown machines are missing. */
  async machines(ids: readonly string[], signal: AbortSignal): Promise<Map<string, Instance>> {
    const found = new Map<string, Instance>();
    for (const part of chunks(ids, MOST_IDS)) {
      for (const machine of await this.knownOf(part, signal))
        if (machine.InstanceId !== undefined) found.set(machine.InstanceId, machine);
    }
    return found;
  }

  /** All machines that match the filters. */
  async find(filters: readonly Filter[], signal: AbortSignal): Promise<Instance[]> {
    return this.pages({ Filters: [...filters], MaxResults: MOST_IDS }, signal);
  }

  /** All machines with one of these values of a tag. */
  async findByTag(tag: string, values: readonly string[], signal: AbortSignal): Promise<Instance[]> {
    const found: Instance[] = [];
    for (const Values of chunks(values, MOST_VALUES))
      found.push(...(await this.find([{ Name: `tag:${tag}`, Values }], signal)));
    return found;
  }

  async close(): Promise<void> {
    (await this.opened?.catch(() => null))?.client.destroy();
    this.opened = null;
  }

  /** The cloud refuses a whole query because of one unknown machine, so the query is repeated without it. */
  private async knownOf(ids: readonly string[], signal: AbortSignal): Promise<Instance[]> {
    if (ids.length === 0) return [];
    try {
      return await this.pages({ InstanceIds: [...ids] }, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { rest, halves } = withoutNamed(ids, error.message);
      if (rest !== null) return this.knownOf(rest, signal);
      return [...(await this.knownOf(halves[0], signal)), ...(await this.knownOf(halves[1], signal))];
    }
  }

  private async pages(input: DescribeInstancesCommandInput, signal: AbortSignal): Promise<Instance[]> {
    const found: Instance[] = [];
    for (let token: string | undefined; ;) {
      const page: DescribeInstancesCommandInput = { ...input, ...(token === undefined ? {} : { NextToken: token }) };
      const { Reservations, NextToken } = await this.call(
        "DescribeInstances",
        "describe",
        ({ client, sdk }) => client.send(new sdk.DescribeInstancesCommand(page)),
        signal,
      );
      found.push(...(Reservations ?? []).flatMap(({ Instances }) => Instances ?? []));
      if (NextToken === undefined || NextToken === "") return found;
      token = NextToken;
    }
  }

  /**
   * Makes a call within the account's rate limits. A throttled call had no effect and is retried later.
   * @param announce awaited right before each attempt. After it, the permit is proved once more.
   */
  async call<T>(
    name: string,
    kind: CallKind,
    send: (opened: Opened) => Promise<T>,
    signal: AbortSignal,
    announce: () => Promise<void> = async () => undefined,
  ): Promise<T> {
    const opened = await this.open();
    const { clock, permit } = this.context;
    const begin = clock.now();
    for (let reportAt = begin + REPORT_AFTER_MS; ;) {
      await opened.limiter.take(kind, signal);
      if (kind !== "describe") await permit();
      await announce();
      try {
        const answer = await send(opened);
        this.hasAnswered = true;
        return answer;
      } catch (error) {
        if (this.denied !== null && kind !== "describe") throw this.denied.error;
        const explained = this.unlessSilent(explain(error, this.context.cloud, name), kind);
        if (!isThrottledError(explained)) throw explained;
        opened.limiter.drain(kind);
        if (signal.aborted || clock.now() > begin + THROTTLED_MS) throw explained;
        if (clock.now() >= reportAt) reportAt = this.report(name, begin);
      }
    }
  }

  /** @returns when to report next. */
  private report(name: string, begin: number): number {
    const { cloud, clock, warn } = this.context;
    const waitedMs = clock.now() - begin;
    warn(`cloud "${cloud}": ${name} throttled for ${Math.round(waitedMs / 1000)} s; it is tried again`);
    return begin + 2 * waitedMs;
  }

  /** A query without effect whose answer is lost again and again is no lost answer if there never was another one. */
  private unlessSilent(error: Error, kind: CallKind): Error {
    const { cloud, clock } = this.context;
    if (!isLostReplyError(error)) this.hasAnswered ||= isRefusedError(error) || isThrottledError(error);
    if (this.hasAnswered || kind !== "describe" || !isLostReplyError(error)) return error;
    this.silentSince ??= clock.now();
    const silentMs = clock.now() - this.silentSince;
    if (silentMs < FIRST_ANSWER_MS) return error;
    const detail =
      `${error.message}; nothing but errors for ${Math.round(silentMs / 1000)} s: ` +
      "check region: and endpoint: of the cloud, the network, and the cloud's status page";
    return new CloudUnreachableError(cloud, detail, { cause: error });
  }

  /**
   * The SDK resolves credentials and signs before it sends. A launcher may freeze in between, so its lease is verified
   * right before sending.
   */
  private proveBeforeEach(client: EC2Client): void {
    client.middlewareStack.add(
      (next, { commandName = "" }) =>
        async (args) => {
          try {
            if (!/^(Describe|Get)/.test(commandName)) await this.context.permit();
          } catch (error) {
            this.denied = { error };
            throw error;
          }
          return next(args);
        },
      { step: "deserialize", name: "bootlevelPermit", priority: "low" },
    );
  }

  private open(): Promise<Opened> {
    return (this.opened ??= this.connect());
  }

  private async connect(): Promise<Opened> {
    const { cloud, clock, options } = this.context;
    const { region, profile, endpoint } = options as Partial<Record<"region" | "profile" | "endpoint", string>>;
    const sdk = await import("@aws-sdk/client-ec2");
    const client = new sdk.EC2Client({
      maxAttempts: 1, // the caller repeats: it must prove before each call that the run is still its own
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        requestTimeout: REQUEST_MS,
        throwOnRequestTimeout: true,
        ...agentOf(this.context.env ?? {}),
      },
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    client.middlewareStack.add(
      (next) => async (args) => {
        this.asked = (args.request as { hostname?: string }).hostname ?? null;
        return next(args);
      },
      { step: "finalizeRequest", name: "bootlevelHost" },
    );
    this.proveBeforeEach(client);
    client.middlewareStack.add(onlyXml, { step: "deserialize", name: "bootlevelXml", priority: "low" });
    try {
      return {
        sdk,
        client,
        limiter: limiterOf(clock, JSON.stringify([endpoint, await client.config.region(), profile])),
      };
    } catch (error) {
      client.destroy();
      this.opened = null;
      const explained = explain(error, cloud, "region");
      throw isLostReplyError(explained) ? new CloudUnreachableError(cloud, explained.message) : explained;
    }
  }
}

/** Without a proxy, the SDK makes its own agent. */
function agentOf(env: Environment): { readonly httpsAgent?: ProxyAgent } {
  return env["HTTPS_PROXY"] || env["https_proxy"] ? { httpsAgent: new ProxyAgent(env) } : {};
}

/** Splits a list into parts of at most `most` items. */
export function chunks<T>(all: readonly T[], most: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += most) parts.push(all.slice(start, start + most));
  return parts;
}

/**
 * How to retry after a refusal because of some ids: without the ids that the error names; or, if it names none, in
 * halves.
 * @returns `rest`, or null and the halves. Both halves are empty for a single id, which must be the unknown one.
 */
export function withoutNamed(
  ids: readonly string[],
  words: string,
): { readonly rest: string[] | null; readonly halves: readonly [string[], string[]] } {
  const named = new Set(words.match(/\bi-[0-9a-zA-Z]+/g) ?? []);
  const rest = ids.filter((id) => !named.has(id));
  if (rest.length < ids.length) return { rest, halves: [[], []] };
  if (ids.length === 1) return { rest: [], halves: [[], []] };
  const middle = Math.ceil(ids.length / 2);
  return { rest: null, halves: [ids.slice(0, middle), ids.slice(middle)] };
}
