/** Programs on machines that their driver reaches itself. */
import { DriverError, type MachineAccess } from "../../drivers/contract/driver.js";
import type { ProgramRunner } from "../../machines/program/programRunner.js";
import type { Clouds } from "./clouds.js";

/**
 * Runs programs by the driver of the machine's cloud. @throws DriverError, from each verb, if that driver runs none.
 */
export function driverRunner(clouds: Clouds, access: MachineAccess & { kind: "driver" }): ProgramRunner {
  const programs = async (): Promise<ProgramRunner> => {
    const driver = await clouds.driver(access.cloud);
    const own = driver.programs?.(access.id);
    if (own === undefined)
      throw new DriverError(
        `the driver of cloud "${access.cloud}" gives its machines the access "driver", and runs no programs`,
      );
    return own;
  };
  return {
    reach: async () => (await programs()).reach(),
    run: async (request) => (await programs()).run(request),
    recover: async (request) => (await programs()).recover(request),
  };
}
