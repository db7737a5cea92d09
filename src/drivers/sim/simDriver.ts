/**
 * A simulated cloud, for testing plans before they use a real one. Its machines start, die and fail as configured in
 * the plan. All of it is in a file.
 */
import { createHash } from "node:crypto";
import { resolve } from "node:path";

import type { ProgramRunner } from "../../machines/program/programRunner.js";
import {
  DriverError,
  isDriverError,
  type Driver,
  type DriverContext,
  type DriverDefinition,
  type ImageRequest,
  type LaunchOutcome,
  type LaunchRequest,
  type MachineStatus,
  type MarkScope,
  type TerminateOutcome,
} from "../contract/driver.js";
import { Calls, type Subject } from "./calls.js";
import { CloudFile } from "./cloudFile.js";
import { launchMachine, type Launcher } from "./launch.js";
import { describe, unknown } from "./machines.js";
import { cloudSchema, launchSchema } from "./schema.js";
import { Settings } from "./settings.js";
import { SimPrograms } from "./simPrograms.js";

class SimDriver implements Driver {
  readonly visibilityMs: number;
  private readonly settings: Settings;
  private readonly calls: Calls;
  private opened: CloudFile | null = null;

  constructor(private readonly context: DriverContext) {
    this.settings = new Settings(context.cloud, context.options);
    this.visibilityMs = this.settings.visibilityMs;
    this.calls = new Calls(context.cloud, this.settings, context.clock, () => this.file());
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const subjects = () => requests.map(({ mark }) => mark);
    try {
      return await this.calls.make("launch", subjects, () => this.launchAll(requests), signal);
    } catch (error) {
      if (!signal.aborted || isDriverError(error)) throw error;
      return requests.map(({ key }) => ({
        key,
        kind: "failed",
        error: new DriverError("interrupted", { cause: error }),
        leftover: null,
      }));
    }
  }

  async describe(ids: readonly string[], signal: AbortSignal): Promise<MachineStatus[]> {
    return this.calls.make(
      "describe",
      () => this.subjects(ids),
      () =>
        this.file().read(() =>
          ids.map((id) => {
            const machine = this.file().machine(id);
            return machine === null ? unknown(id) : describe(machine, this.context.cloud, this.context.clock.now());
          }),
        ),
      signal,
    );
  }

  async terminate(ids: readonly string[], signal: AbortSignal): Promise<TerminateOutcome[]> {
    return this.calls.make(
      "terminate",
      () => this.subjects(ids),
      () =>
        this.file().transaction(() => {
          for (const id of ids) this.file().terminateMachine(id, this.context.clock.now());
          return ids.map((id) => ({ id, kind: "terminated" as const }));
        }),
      signal,
    );
  }

  async list(scope: MarkScope, signal: AbortSignal): Promise<MachineStatus[]> {
    const subjects = scope.run === null ? [] : [{ run: scope.run, service: "" }];
    return this.calls.make(
      "list",
      () => subjects,
      () => {
        const machines = this.file()
          .machinesInScope(scope)
          .map((machine) => describe(machine, this.context.cloud, this.context.clock.now()));
        return machines.filter(({ state }) => state !== "terminated" && state !== "unknown");
      },
      signal,
    );
  }

  /** Of a simulated image only the name is kept: all machines are alike. */
  async createImage({ name }: ImageRequest): Promise<{ readonly id: string }> {
    return { id: `sim-image-${name}` };
  }

  async deleteImage(): Promise<void> {
    // There is nothing to remove.
  }

  /** Programs take virtual time only, so no shell could run them. */
  programRunner(id: string): ProgramRunner {
    return new SimPrograms(id, this.settings, this.file(), this.context.clock);
  }

  async close(): Promise<void> {
    this.opened?.close();
    this.opened = null;
  }

  private launchAll(requests: readonly LaunchRequest[]): LaunchOutcome[] {
    const file = this.file();
    return file.transaction(() => {
      const now = this.context.clock.now();
      const launcher: Launcher = { settings: this.settings, file, now, alive: file.aliveAt(now) };
      return requests.map((request) => this.launchOne(launcher, request));
    });
  }

  private launchOne(launcher: Launcher, request: LaunchRequest): LaunchOutcome {
    const { key, mark } = request;
    try {
      const known = launcher.file.machineOfKey(key);
      const machine = known ?? launchMachine(launcher, request, machineId(key));
      // The answer to a launch includes its machine, even if later queries still hide it.
      return {
        key,
        kind: "launched",
        machine: describe({ ...machine, visibleAt: machine.launchedAt }, this.context.cloud, launcher.now),
      };
    } catch (error) {
      if (!isDriverError(error)) throw error;
      return {
        key,
        kind: "failed",
        error: new DriverError(`no machine for ${mark.service}: ${error.message}`, { cause: error }),
        leftover: null,
      };
    }
  }

  private subjects(ids: readonly string[]): Subject[] {
    return ids.map((id) => this.file().machine(id)?.mark ?? { run: "", service: "" });
  }

  /** Opened lazily: many commands create a driver without using it. */
  private file(): CloudFile {
    return (this.opened ??= new CloudFile(resolve(this.context.stateDirectory, this.settings.file)));
  }
}

function machineId(key: string): string {
  return `i-${createHash("sha256").update(key).digest("hex").slice(0, 17)}`;
}

const definition: DriverDefinition = {
  name: "sim",
  cloudSchema,
  launchSchema,
  sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 30_000 },
  create: (context) => new SimDriver(context),
};

export default definition;
