/** What the engine hands to a driver. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "@jest/globals";

import { realClock } from "../../src/time/clock.js";
import { driverStateFolder } from "../../src/state/files/driverState.js";
import type { Driver, DriverContext, DriverDefinition, LaunchRequest } from "../../src/drivers/contract/driver.js";

export const never = new AbortController().signal;

export function request(key: string, run = "run1", service = key): LaunchRequest {
  return {
    key,
    mark: { installation: "here", run, runName: `${run}-name`, service },
    replica: 1,
    image: null,
    size: null,
    fallbackSizes: [],
    launch: {},
    avoid: [],
    contact: null,
  };
}

const directories: string[] = [];
const drivers: { driver: Driver; keys: Set<string> }[] = [];

export function stateDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel driver é "));
  directories.push(directory);
  return directory;
}

/** A driver with state of its own; what its `launch` gave is ended after the test. */
export function open(definition: DriverDefinition, context: Partial<DriverContext> = {}): Driver {
  const directory = context.stateDirectory ?? stateDirectory();
  const driver = definition.create({
    cloud: "test",
    options: {},
    stateDirectory: directory,
    state: driverStateFolder(directory),
    warn: (message) => {
      throw new Error(message);
    },
    permit: async () => undefined,
    readOnly: false,
    clock: realClock,
    env: {},
    ...context,
  });
  const keys = new Set<string>();
  const launch = driver.launch.bind(driver);
  driver.launch = async (requests, signal) => {
    const outcomes = await launch(requests, signal);
    for (const outcome of outcomes) if (outcome.kind === "launched") keys.add(outcome.machine.id);
    return outcomes;
  };
  drivers.push({ driver, keys });
  return driver;
}

afterEach(async () => {
  for (const { driver, keys } of drivers.splice(0)) {
    await driver.terminate([...keys], never);
    await driver.close?.();
  }
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
