/**
 * A cloud for tests: a machine is a file that only one process can make, so the files are the cloud's own list,
 * whatever the launcher believes. It can be slow, show machines late, lose replies after the deed and ask for fewer
 * calls. Programs run in real shells that outlive the launcher: by bootlevel's own protocol (`access: local`: it connects to a directory), or with
 * as few processes as will do (`access: driver`), for tests that run hundreds of launches.
 */
import { randomInt } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import {
  isInScope,
  LostReplyError,
  ThrottledError,
  type Driver,
  type DriverContext,
  type DriverDefinition,
  type LaunchOutcome,
  type LaunchRequest,
  type MachineStatus,
  type MarkScope,
  type TerminateOutcome,
} from "../../src/drivers/contract/driver.js";
import { killTagged } from "../../src/machines/local/taggedProcesses.js";
import { removeMachineDirectory } from "../../src/machines/local/machineDirectory.js";
import { openMachine, type LocalMachine } from "../../src/machines/local/localMachine.js";
import type { ProgramRunner } from "../../src/machines/program/programRunner.js";
import { directPrograms } from "./directPrograms.js";
import { cloudFiles, type CloudMachine } from "./testCloudFiles.js";
import { missingMachine } from "../../src/drivers/shared/missingMachine.js";

interface Options {
  readonly access?: "local" | "driver";
  readonly latencyMs?: number;
  readonly visibilityMs?: number;
  /** Every such call takes effect, and its reply is lost. */
  readonly loseEvery?: number;
  /** Every such call is turned away. */
  readonly throttleEvery?: number;
  /** So many calls are turned away, to begin with. */
  readonly throttleFirst?: number;
}

class TestCloud implements Driver {
  readonly visibilityMs: number;
  private readonly files: ReturnType<typeof cloudFiles>;
  private readonly options: Options;
  readonly connect?: NonNullable<Driver["connect"]>;
  readonly programRunner?: (id: string) => ProgramRunner;

  constructor(private readonly context: DriverContext) {
    this.options = context.options;
    this.visibilityMs = this.options.visibilityMs ?? 0;
    this.files = cloudFiles(context.stateDirectory);
    mkdirSync(this.files.machines, { recursive: true });
    if (this.options.access === "local")
      this.connect = async (_id, { data }) => openMachine(data as unknown as LocalMachine, context.env);
    else this.programRunner = (id) => this.programs(id);
  }

  async launch(requests: readonly LaunchRequest[]): Promise<LaunchOutcome[]> {
    return this.call(
      "launch",
      requests.map(({ key }) => key),
      () =>
        requests.map((request) => ({ key: request.key, kind: "launched", machine: this.status(this.create(request)) })),
    );
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    return this.call("describe", ids, () => {
      const known = new Map(this.visible().map((machine) => [machine.id, machine]));
      return ids.map((id) => {
        const machine = known.get(id);
        return machine === undefined ? unknown(id) : this.status(machine);
      });
    });
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    return this.call("terminate", ids, async () => {
      const machines = this.all().filter(({ id }) => ids.includes(id));
      if (this.options.access === "local")
        await killTagged(new Set(machines.map(({ tag }) => tag)), { graceMs: 1_000 });
      for (const machine of machines) {
        await removeMachineDirectory(this.directory(machine));
        rmSync(join(this.files.machines, machine.key));
      }
      return ids.map((id) => ({ id, kind: "terminated" }));
    });
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    return this.call("list", [], () =>
      this.visible()
        .filter(({ mark }) => isInScope(mark, scope))
        .map((machine) => this.status(machine)),
    );
  }

  private programs(id: string): ProgramRunner {
    const machine = this.all().find((one) => one.id === id);
    return directPrograms(machine === undefined ? null : join(this.directory(machine), "work"), id);
  }

  /** Every call is written down before it does anything. */
  private async call<T>(verb: string, ids: readonly string[], work: () => T | Promise<T>): Promise<T> {
    appendFileSync(this.files.calls, `${process.pid} ${verb} ${ids.join(" ")}\n`);
    const { latencyMs = 1, loseEvery = 0, throttleEvery = 0, throttleFirst = 0 } = this.options;
    const number = readFileSync(this.files.calls, "utf8").split("\n").length - 1;
    await this.context.clock.sleep(latencyMs);
    if (number <= throttleFirst || (throttleEvery > 0 && number % throttleEvery === 0))
      throw new ThrottledError("fewer calls, please");
    // The request goes out here: one that a launcher has sent takes effect whether that one freezes or not, and one
    // that it has not sent must not.
    await this.context.permit();
    const result = await work();
    await this.context.clock.sleep(latencyMs);
    if (loseEvery > 0 && number % loseEvery === 0) throw new LostReplyError("the reply is lost");
    return result;
  }

  private create({ key, mark }: LaunchRequest): CloudMachine {
    const twin = this.all().find(
      (machine) => machine.mark.service === mark.service && machine.mark.run === mark.run && machine.key !== key,
    );
    const machine = {
      id: `i-${randomInt(2 ** 40)}`,
      key,
      mark,
      tag: String(randomInt(2 ** 40, 2 ** 47)),
      address: `127.${randomInt(16, 255)}.${randomInt(256)}.${randomInt(1, 255)}`,
      at: this.context.clock.now(),
    };
    const path = join(this.files.machines, key);
    // Whole or not at all, and by one process only.
    const draft = join(this.context.stateDirectory, `draft-${machine.id}`);
    writeFileSync(draft, JSON.stringify(machine));
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      return JSON.parse(readFileSync(path, "utf8")) as CloudMachine;
    } finally {
      unlinkSync(draft);
    }
    appendFileSync(this.files.created, `${key}\n`);
    if (twin !== undefined) appendFileSync(this.files.doubles, `${twin.key} ${key}\n`);
    for (const folder of ["home", "tmp", "work"]) mkdirSync(join(this.directory(machine), folder), { recursive: true });
    return machine;
  }

  private all(): CloudMachine[] {
    return readdirSync(this.files.machines).map(
      (name) => JSON.parse(readFileSync(join(this.files.machines, name), "utf8")) as CloudMachine,
    );
  }

  private visible(): CloudMachine[] {
    return this.all().filter(({ at }) => this.context.clock.now() >= at + this.visibilityMs);
  }

  private directory({ id }: CloudMachine): string {
    return join(this.context.stateDirectory, "directories", id);
  }

  private status(machine: CloudMachine): MachineStatus {
    const { id, key, mark, address, tag } = machine;
    const directory = this.directory(machine);
    const access = { kind: "driver", cloud: this.context.cloud, id, data: { directory, tag } } as const;
    const there = existsSync(directory);
    return {
      id,
      key,
      mark,
      state: there ? "running" : "stopped",
      host: address,
      privateHost: address,
      hostname: mark.service,
      access,
      reason: "",
    };
  }
}

function unknown(id: string): MachineStatus {
  return missingMachine(id, "unknown", "never heard of it");
}

const definition: DriverDefinition = {
  name: "test-cloud",
  cloudSchema: {
    type: "object",
    additionalProperties: false,
    properties: {
      access: { enum: ["local", "driver"] },
      ...Object.fromEntries(
        ["latencyMs", "visibilityMs", "loseEvery", "throttleEvery", "throttleFirst"].map((name) => [
          name,
          { type: "integer" },
        ]),
      ),
    },
  },
  launchSchema: null,
  sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 10_000 },
  create: (context) => new TestCloud(context),
};

export default definition;
