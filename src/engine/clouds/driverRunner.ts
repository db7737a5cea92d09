/** Programs on machines that their driver reaches itself. */
import type { MachineLink } from "../../machines/contract/link.js";
import { shellRunner, type ProgramRunner } from "../../machines/program/programRunner.js";
import type { Clouds } from "./clouds.js";
import type { DriverAccess } from "./driverConnection.js";

/**
 * Runs programs over the connection that the machine's driver makes, or by a driver that runs them itself.
 * @param link to the machine; asked for only if the driver connects.
 */
export function driverRunner(clouds: Clouds, access: DriverAccess, link: () => MachineLink): ProgramRunner {
  const runner = async (): Promise<ProgramRunner> => {
    const driver = await clouds.driver(access.cloud);
    return driver.programRunner?.(access.id) ?? shellRunner(link());
  };
  return {
    reach: async () => (await runner()).reach(),
    run: async (request) => (await runner()).run(request),
    recover: async (request) => (await runner()).recover(request),
  };
}
