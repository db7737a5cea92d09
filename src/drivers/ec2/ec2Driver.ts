/** Machines of Amazon EC2, and of clouds that speak its API. */
import type { Driver, DriverContext, DriverDefinition, LaunchOutcome, LaunchProblem, LaunchRequest, MachineStatus, MarkScope, TerminateOutcome } from "../driver.js";
import { Ec2Api } from "./api.js";
import { Ec2Calls } from "./calls.js";
import { checkLaunches } from "./check.js";
import { printedFingerprints } from "./console.js";
import { Launcher } from "./launcher.js";
import { statusOf, TAG, unknownStatus, type AddressChoice } from "./machines.js";
import { cloudSchema, launchSchema } from "./schema.js";
import { SecurityGroups } from "./securityGroup.js";
import { terminateMachines } from "./terminator.js";

/** EC2 tells of a new machine with delay, seconds as a rule. */
const VISIBILITY_MS = 120_000;

class Ec2Driver implements Driver {
  readonly visibilityMs = VISIBILITY_MS;
  private readonly api: Ec2Api;
  private readonly address: AddressChoice;
  private readonly launcher: Launcher;
  private readonly calls: Ec2Calls;
  private readonly groups: SecurityGroups;
  /** When this process launched a machine, or heard of it when it looked for its key. */
  private readonly bornAt = new Map<string, number>();

  constructor(private readonly context: DriverContext) {
    this.api = new Ec2Api(context);
    this.address = (context.options["address"] ?? null) as AddressChoice;
    this.launcher = new Launcher(this.api, this.address);
    this.calls = new Ec2Calls(this.api);
    this.groups = new SecurityGroups({ ...context, calls: this.calls });
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const outcomes = await this.launcher.launch(requests, signal);
    for (const outcome of outcomes) if (outcome.kind === "launched" && !this.bornAt.has(outcome.machine.id)) this.bornAt.set(outcome.machine.id, this.context.clock.now());
    return outcomes;
  }

  async describe(ids: readonly string[], signal: AbortSignal): Promise<MachineStatus[]> {
    const found = await this.api.machines([...new Set(ids)], signal);
    return ids.map((id) => {
      const machine = found.get(id);
      return machine === undefined ? unknownStatus(id) : statusOf(machine, this.address);
    });
  }

  async terminate(ids: readonly string[], signal: AbortSignal): Promise<TerminateOutcome[]> {
    if (ids.length === 0) return [];
    const hiddenUntil = (id: string) => {
      const bornAt = this.bornAt.get(id);
      return bornAt === undefined ? null : bornAt + VISIBILITY_MS;
    };
    const outcomes = await terminateMachines(ids, { api: this.api, clock: this.context.clock, hiddenUntil, signal });
    this.launcher.forget(new Set(outcomes.flatMap(({ id, kind }) => (kind === "terminated" ? [id] : []))));
    return outcomes;
  }

  async list({ installation, run }: MarkScope, signal: AbortSignal): Promise<MachineStatus[]> {
    const machines = await this.api.find([
      { Name: `tag:${TAG.installation}`, Values: [installation] },
      ...(run === null ? [] : [{ Name: `tag:${TAG.run}`, Values: [run] }]),
      { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] },
    ], signal);
    return machines.map((machine) => statusOf(machine, this.address));
  }

  async hostKeyFingerprints(id: string, signal: AbortSignal): Promise<readonly string[] | null> {
    return printedFingerprints(id, this.calls, signal);
  }

  async check(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<readonly LaunchProblem[]> {
    return checkLaunches(requests, { api: this.api, groups: this.groups, warn: this.context.warn }, signal);
  }

  async release(scope: MarkScope & { readonly run: string }, signal: AbortSignal): Promise<void> {
    await this.groups.release(scope, signal);
  }

  async close(): Promise<void> {
    await this.api.close();
  }
}

const definition: DriverDefinition = {
  name: "ec2",
  cloudSchema,
  launchSchema,
  sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 300_000 },
  create: (context) => new Ec2Driver(context),
};

export default definition;
