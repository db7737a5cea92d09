/** Launches machines in Amazon EC2 and in clouds with a compatible API. */
import type {
  Driver,
  DriverContext,
  DriverDefinition,
  ImageRequest,
  LaunchOutcome,
  LaunchProblem,
  LaunchRequest,
  MachineStatus,
  MarkScope,
  TerminateOutcome,
} from "../contract/driver.js";
import { Ec2Api } from "./api.js";
import { Batches } from "./batches.js";
import { cloudOf, isAmazon, type Ec2Cloud } from "./cloud.js";
import { ElasticAddresses } from "./elasticAddresses.js";
import { Fleet } from "./fleet.js";
import { Ec2Calls } from "./calls.js";
import { checkLaunches } from "./check.js";
import { printedFingerprints } from "./console.js";
import { createImage, deleteImage } from "./imageMaker.js";
import { Launcher } from "./launcher.js";
import { unknownStatus } from "./machines.js";
import { Preparation } from "./prepare.js";
import { cloudSchema, launchSchema } from "./schema.js";
import { Tagger } from "./tagger.js";
import { SecurityGroups } from "./securityGroup.js";
import { terminateMachines } from "./terminator.js";

class Ec2Driver implements Driver {
  readonly visibilityMs: number;
  private readonly api: Ec2Api;
  private readonly cloud: Ec2Cloud;
  private readonly book: Batches;
  private readonly tagger: Tagger | null;
  private readonly fleet: Fleet;
  private readonly launcher: Launcher;
  private readonly calls: Ec2Calls;
  private readonly groups: SecurityGroups;
  private readonly elastic: ElasticAddresses;

  constructor(private readonly context: DriverContext) {
    this.cloud = cloudOf(context.options);
    this.visibilityMs = this.cloud.visibilityMs;
    this.api = new Ec2Api(context);
    this.book = new Batches(context.state, context.permit);
    const { api, visibilityMs } = this;
    const { clock, warn } = context;
    this.tagger = context.readOnly ? null : new Tagger({ api, clock, warn, visibilityMs });
    this.fleet = new Fleet({
      api,
      book: this.book,
      clock,
      visibilityMs,
      address: this.cloud.address,
      tagger: this.tagger,
    });
    this.calls = new Ec2Calls(api);
    const { address } = this.cloud;
    this.elastic = new ElasticAddresses({ api, address, readOnly: context.readOnly });
    this.groups = new SecurityGroups({ ...context, calls: this.calls, host: () => api.host ?? "" });
    const preparation = new Preparation(api, this.groups);
    this.launcher = new Launcher({
      api,
      fleet: this.fleet,
      clock,
      warn,
      visibilityMs,
      heedsTokens: () => this.cloud.heedsTokens ?? isAmazon(api.host ?? ""),
      prepare: (settings, place, request, signal) => preparation.of(settings, place, request, signal),
    });
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const elastic = new Set(requests.filter(wantsElasticIp).map(({ key }) => key));
    const outcomes = await this.launcher.launch(requests, signal);
    // It is reachable when it has its address, which it gets when it runs.
    return outcomes.map((outcome) =>
      outcome.kind === "launched" && elastic.has(outcome.key)
        ? { ...outcome, machine: { ...outcome.machine, host: null, access: null } }
        : outcome,
    );
  }

  async describe(ids: readonly string[], signal: AbortSignal): Promise<MachineStatus[]> {
    const found = await this.fleet.describe(ids, signal);
    const machines = ids.map((id) => found.get(id) ?? unknownStatus(id));
    return this.elastic.settle(machines, (id) => this.fleet.wantsAddress(id), signal);
  }

  async terminate(ids: readonly string[], signal: AbortSignal): Promise<TerminateOutcome[]> {
    if (ids.length === 0) return [];
    const askedAt = await this.book.askedFor(ids);
    const hiddenUntil = (id: string) => {
      const at = askedAt.get(id);
      return at === undefined ? null : at + this.visibilityMs;
    };
    const outcomes = await terminateMachines(ids, { api: this.api, clock: this.context.clock, hiddenUntil, signal });
    this.launcher.forget(new Set(outcomes.flatMap(({ id, kind }) => (kind === "terminated" ? [id] : []))));
    return outcomes;
  }

  async list(scope: MarkScope, signal: AbortSignal): Promise<MachineStatus[]> {
    // Whoever lists destroys, or counts: no machine gets an address for that.
    return this.fleet.list(scope, signal);
  }

  async hostKeyFingerprints(id: string, signal: AbortSignal): Promise<readonly string[] | null> {
    return printedFingerprints(id, this.calls, signal);
  }

  async admit(scope: MarkScope & { readonly run: string }, host: string, signal: AbortSignal): Promise<string | null> {
    return this.groups.admit(scope, host, this.context.readOnly, signal);
  }

  async check(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<readonly LaunchProblem[]> {
    return checkLaunches(requests, { api: this.api, groups: this.groups, warn: this.context.warn }, signal);
  }

  async createImage(request: ImageRequest, signal: AbortSignal): Promise<{ readonly id: string }> {
    return createImage(request, { api: this.api, clock: this.context.clock }, signal);
  }

  async deleteImage(id: string, signal: AbortSignal): Promise<void> {
    return deleteImage(id, { api: this.api, clock: this.context.clock }, signal);
  }

  async release(scope: MarkScope & { readonly run: string }, signal: AbortSignal): Promise<void> {
    await this.elastic.release(scope, signal);
    await this.groups.release(scope, signal);
    await this.book.remove(scope.run);
  }

  async unreleased(installation: string, signal: AbortSignal): Promise<readonly string[]> {
    const runs = await Promise.all([this.groups, this.elastic].map((kept) => kept.runs(installation, signal)));
    return [...new Set(runs.flat())];
  }

  async close(signal: AbortSignal = new AbortController().signal): Promise<void> {
    await this.tagger?.close(signal);
    await this.api.close();
  }
}

/** A reference resolves to text. */
function wantsElasticIp({ launch: { elastic_ip: wanted } }: LaunchRequest): boolean {
  return wanted === true || wanted === "true";
}

const definition: DriverDefinition = {
  name: "ec2",
  cloudSchema,
  launchSchema,
  sshDefaults: { hostKeys: "injected", connectTimeoutMs: 300_000, cloudInit: "wait" },
  preparesMachines: true,
  needsImage: true,
  create: (context) => new Ec2Driver(context),
};

export default definition;
