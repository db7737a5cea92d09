/**
 * A lab: a cloud that speaks EC2's API, in a network of its own, with faults on command. The real command boots plans
 * there.
 *
 *     const lab = await openEc2Lab();
 *     const folder = lab.plan(`${lab.head()}levels: …`);
 *     await lab.json(["boot", folder, "--name", "shop"]);
 *     expect(await lab.live()).toHaveLength(4);
 *     await lab.close();
 *
 * Faults are set at any time (`lab.faults.set({ buckets: true, lostAfter: 0.2, hiddenMs: 3000 })`, see FaultSettings)
 * and concern the launcher only: what a test asks by `lab.live()`, `lab.inventory` or `lab.change()` goes past them.
 * With `machines: true` every running instance answers SSH as `admin` and `root` (see Machines); programs there share
 * /mnt, and `lab.fact(name)` reads what they wrote. A launcher waits five minutes for a machine that does not answer,
 * unless the plan says `ssh: { connect_timeout: … }`.
 *
 * Nothing of it outlives the process that opened it. Needs root, ip, sshd, sudo and moto; jest.config.js leaves the
 * suites out where they are missing, by this file's name in their imports.
 */
import { existsSync, readFileSync } from "node:fs";

import { startCloud, type Cloud } from "./moto.js";
import { makeKey } from "./sshHost.js";
import { bucketLayer } from "./ec2Lab/buckets.js";
import { capacityLayer } from "./ec2Lab/capacity.js";
import { Faults, type FaultSettings } from "./ec2Lab/faults.js";
import { Holds, type Held } from "./ec2Lab/holds.js";
import { Inventory, type LabInstance } from "./ec2Lab/inventory.js";
import { launcherIn, type Launcher } from "./ec2Lab/launcher.js";
import { Machines } from "./ec2Lab/machines.js";
import { networkLayer, recordLayer, type LabCall } from "./ec2Lab/network.js";
import { openNamespace, type Namespace } from "./ec2Lab/namespace.js";
import { tokenLayer } from "./ec2Lab/tokens.js";
import { visibilityLayer } from "./ec2Lab/visibility.js";

export { ENVIRONMENT } from "./ec2Lab/launcher.js";
export type { FaultSettings, Held, LabCall, LabInstance };

export const REGION = "eu-central-1";
/** An image that the cloud has. */
export const IMAGE = "ami-0123456789abcdef0";

export interface LabOptions {
  /** Whether instances get machines that answer SSH. Default: false. */
  readonly machines?: boolean;
  readonly faults?: Partial<FaultSettings>;
  /** For the chances of `faults`. */
  readonly seed?: number;
}

export interface Ec2Lab extends Omit<Launcher, "close"> {
  /** The cloud's endpoint, as a plan in the lab names it. */
  readonly endpoint: string;
  /** The proxy and the cloud; `cloud.endpoint` is for drivers in the test's own process. */
  readonly cloud: Cloud;
  readonly faults: Faults;
  /** Stops calls on their way. */
  readonly holds: Holds;
  readonly network: Namespace;
  /**
   * The head of a plan whose services get machines of this cloud.
   * @param defaults more of the cloud's `defaults`, in flow style.
   * @param keys more of the cloud's own keys, likewise.
   */
  head(defaults?: string, keys?: string): string;
  /** Calls so far, of one kind or of all. */
  calls(action?: string): LabCall[];
  /** Forgets the calls so far. */
  forgetCalls(): void;
  /** All machines that ever were; by the real API, past every fault. */
  instances(): Promise<LabInstance[]>;
  /** Those that are not terminated. */
  live(): Promise<LabInstance[]>;
  readonly inventory: Inventory;
  /** The machines behind the instances. */
  readonly machines: Machines;
  /**
   * Changes instances by the real API, past the launcher and every fault: what an operator does on the cloud's console.
   */
  change(what: "terminate" | "stop" | "start", ids: readonly string[]): Promise<void>;
  /**
   * A key of the operator's, the same one each time: a file, as the launcher in the lab sees it, and the line for
   * authorized_keys.
   */
  key(): Promise<{ readonly identity: string; readonly publicKey: string }>;
  /**
   * What a program on a machine wrote into a file of its /mnt, which all machines share; null while it is not there.
   */
  fact(name: string): string | null;
  /** Ends everything. */
  close(): Promise<void>;
}

export async function openEc2Lab({
  faults: settings = {},
  seed = 1,
  machines: hasMachines = false,
}: LabOptions = {}): Promise<Ec2Lab> {
  const cloud = await startCloud();
  const network = await openNamespace().catch(async (error: unknown) => {
    await cloud.stop();
    throw error;
  });
  cloud.attach(network.socket);
  const faults = new Faults(settings, seed);
  const holds = new Holds();
  const inventory = new Inventory(cloud.direct, REGION);
  const live = async () =>
    (await inventory.instances()).filter(({ state }) => state !== "terminated" && state !== "shutting-down");
  const machines = new Machines(network, inventory, faults);
  const log: LabCall[] = [];
  cloud.layers = [
    recordLayer(log),
    holds.layer,
    bucketLayer(() => faults.buckets),
    networkLayer(faults),
    visibilityLayer(faults),
    tokenLayer(() => faults.settings.tokens),
    ...(hasMachines ? [machines.layer] : []),
    capacityLayer(faults, async () => (await live()).length),
  ];
  const launcher = launcherIn(network);
  return {
    ...launcher,
    endpoint: network.endpoint,
    cloud,
    faults,
    holds,
    network,
    inventory,
    machines,
    head: (defaults = "", keys = "") =>
      `clouds: { aws: { driver: ec2, region: ${REGION}, endpoint: "${network.endpoint}", ${keys === "" ? "" : `${keys}, `}defaults: { image: ${IMAGE}, size: m5.large${defaults === "" ? "" : `, ${defaults}`} } } }\n`,
    calls: (action) => log.filter((call) => action === undefined || call.action === action),
    forgetCalls: () => {
      log.length = 0;
    },
    instances: () => inventory.instances(),
    live,
    async change(what, ids) {
      await inventory.change(what, [...ids]);
      if (hasMachines) await machines.settled();
    },
    async key() {
      const identity = "/mnt/operator-key";
      if (!existsSync(network.outside(identity))) await makeKey(network.outside(identity));
      return { identity, publicKey: readFileSync(network.outside(`${identity}.pub`), "utf8").trim() };
    },
    fact(name) {
      const path = network.outside(`/mnt/shared/${name}`);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    async close() {
      machines.close();
      await launcher.close();
      await cloud.stop();
      await network.close();
      inventory.client.destroy();
    },
  };
}
