/**
 * A driver that prepares machines, as a third party would write one: each is a real sshd (preparedMachine.ts) that
 * outlives the launcher.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  renameSync,
} from "node:fs";
import { join } from "node:path";

import type {
  Driver,
  DriverContext,
  DriverDefinition,
  LaunchOutcome,
  LaunchRequest,
  MachineMark,
  MachineStatus,
  MarkScope,
} from "../../src/drivers/contract/driver.js";
import { newHostKey, startMachine, stopMachine, type MachineParts } from "./preparedMachine.js";
import { missingMachine } from "../../src/drivers/shared/missingMachine.js";

interface Options extends Pick<MachineParts, "user" | "sudo" | "bin"> {
  /** The address of every machine: one that is reused. */
  readonly address: string;
  readonly port: number;
  /** What the console shows instead of what the machine was given. */
  readonly console?: string;
}

interface Machine {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly hostKeys: readonly string[];
}

class ContactCloud implements Driver {
  private readonly options: Options;

  constructor(private readonly context: DriverContext) {
    this.options = context.options as unknown as Options;
  }

  async launch(requests: readonly LaunchRequest[]): Promise<LaunchOutcome[]> {
    const outcomes: LaunchOutcome[] = [];
    for (const request of requests) {
      appendFileSync(join(this.context.stateDirectory, "requests"), `${JSON.stringify(request.contact)}\n`);
      outcomes.push({
        key: request.key,
        kind: "launched",
        machine: this.status(this.all().find(({ key }) => key === request.key) ?? (await this.create(request))),
      });
    }
    return outcomes;
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    const known = new Map(this.all().map((machine) => [machine.id, this.status(machine)]));
    return ids.map((id) => known.get(id) ?? missingMachine(id, "terminated", ""));
  }

  async terminate(ids: readonly string[]): ReturnType<Driver["terminate"]> {
    for (const id of ids) {
      await stopMachine(this.directory(id));
      rmSync(this.directory(id), { recursive: true, force: true });
    }
    return ids.map((id) => ({ id, kind: "terminated" }));
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    return this.all()
      .filter(({ mark }) => mark.installation === scope.installation && (scope.run === null || mark.run === scope.run))
      .map((machine) => this.status(machine));
  }

  async hostKeyFingerprints(id: string): Promise<readonly string[] | null> {
    appendFileSync(join(this.context.stateDirectory, "questions"), `${id}\n`);
    return this.options.console === undefined ? null : [this.options.console];
  }

  private async create({ key, mark, contact }: LaunchRequest): Promise<Machine> {
    const id = `m-${key.replace(/[^a-z0-9]/gi, "-")}`;
    const given = newHostKey(this.directory(id));
    const machine = { id, key, mark, hostKeys: contact?.hostKey === true ? [given.publicKey] : [] };
    await startMachine({
      ...this.options,
      directory: this.directory(id),
      hostKeys: { ed25519: given.privateKey },
      authorizedKeys: contact?.authorizedKeys ?? [],
    });
    writeFileSync(join(this.directory(id), "draft"), JSON.stringify(machine));
    renameSync(join(this.directory(id), "draft"), join(this.directory(id), "machine"));
    return machine;
  }

  private all(): Machine[] {
    const directory = join(this.context.stateDirectory, "machines");
    mkdirSync(directory, { recursive: true });
    return readdirSync(directory)
      .map((id) => join(directory, id, "machine"))
      .filter((path) => existsSync(path))
      .map((path) => JSON.parse(readFileSync(path, "utf8")) as Machine);
  }

  private directory(id: string): string {
    return join(this.context.stateDirectory, "machines", id);
  }

  private status({ id, key, mark, hostKeys }: Machine): MachineStatus {
    const { address, port, user = "root" } = this.options;
    const access = {
      kind: "ssh",
      host: address,
      port,
      user,
      firstContact: { machine: `contact-cloud ${id}`, hostKeys },
    } as const;
    return {
      id,
      key,
      mark,
      state: "running",
      host: address,
      privateHost: address,
      hostname: mark.service,
      access,
      reason: "",
    };
  }
}

const definition: DriverDefinition = {
  name: "contact-cloud",
  cloudSchema: null,
  launchSchema: null,
  sshDefaults: { hostKeys: "injected", connectTimeoutMs: 10_000, cloudInit: "wait" },
  preparesMachines: true,
  create: (context) => new ContactCloud(context),
};

export default {
  ...definition,
  cloudSchema: { type: "object", required: ["address", "port"] },
} satisfies DriverDefinition;
