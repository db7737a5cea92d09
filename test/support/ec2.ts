/** Drivers of an EC2 cloud, and requests to them. */
import { DescribeInstancesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, beforeEach } from "@jest/globals";

import {
  LostReplyError,
  type Driver,
  type DriverContext,
  type LaunchOutcome,
  type LaunchRequest,
  type MachineStatus,
} from "../../src/drivers/contract/driver.js";
import ec2 from "../../src/drivers/ec2/ec2Driver.js";
import type { Clock } from "../../src/time/clock.js";
import { never, open, request, stateDirectory } from "./drivers.js";
import { hastyClock, startCloud, type Cloud } from "./moto.js";

let count = 0;

/** A run of its own, so that tests do not see each other's machines. */
export function newRun(): string {
  count += 1;
  return `r${process.pid.toString(36)}${Date.now().toString(36)}${count}`;
}

/** The wish for a machine of a run, with an image and a size that the cloud has. */
export function wish(run: string, service: string, change: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    ...request(`${run}.${service}.1`, run, service),
    image: "ami-0123456789abcdef0",
    size: "m5.large",
    ...change,
  };
}

/**
 * A cloud for the tests of a file, drivers of it, and the keys of a run's machines there; each test begins with a proxy
 * that lets everything through.
 */
export function useCloud(): {
  readonly cloud: () => Cloud;
  readonly driver: (options?: object, context?: Partial<DriverContext>) => Driver;
  readonly live: (run: string) => Promise<(string | null)[]>;
} {
  let cloud: Cloud;
  // The same for all drivers of the file, as for all launchers of an installation.
  const state = stateDirectory();
  beforeAll(async () => {
    cloud = await startCloud();
  }, 90_000);
  beforeEach(() => {
    cloud.setRule(null);
  });
  afterAll(async () => cloud.stop());
  const driver = (options = {}, context = {}) =>
    open(ec2, {
      stateDirectory: state,
      options: { region: "eu-central-1", endpoint: cloud.endpoint, ...options },
      clock: hastyClock(),
      // A cloud that asks for fewer calls is told of, and so are other places; nothing else is expected.
      warn: (message: string) => {
        if (
          !/ throttled for \d+ s; it is tried again$|: launched as .*, since there was no capacity for /.test(message)
        )
          throw new Error(message);
      },
      ...context,
    });
  return {
    cloud: () => cloud,
    driver,
    live: async (run) =>
      (await driver().list({ installation: "here", run }, new AbortController().signal)).map(({ key }) => key).sort(),
  };
}

/** The machines of outcomes that all must have been launched. */
export function machinesOf(outcomes: readonly LaunchOutcome[]): MachineStatus[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === "failed") throw outcome.error;
    return outcome.machine;
  });
}

/** The tags of machines as the cloud has them. */
export async function tagsOf({ endpoint }: Cloud, ids: readonly string[]): Promise<Record<string, string>[]> {
  const client = new EC2Client({ endpoint, region: "eu-central-1" });
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({ InstanceIds: [...ids] }));
  client.destroy();
  return Reservations.flatMap(({ Instances = [] }) => Instances).map(
    ({ Tags = [] }) => Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])) as Record<string, string>,
  );
}

/** A launch as it is repeated by whoever calls the driver: after each lost answer, some time later. */
export async function persist(own: Driver, clock: Clock, wishes: readonly LaunchRequest[]): Promise<LaunchOutcome[]> {
  for (let time = 0; time < 40; time += 1) {
    try {
      return await own.launch(wishes, never);
    } catch (error) {
      if (!(error instanceof LostReplyError)) throw error;
      await clock.sleep(5_000);
    }
  }
  throw new Error("no end");
}
