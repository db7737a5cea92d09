/**
 * A cloud whose machines are directories, which its driver reaches itself: every channel is a child process. A file
 * `cut-<service>` in the driver's state directory breaks the connection to that service's machine once.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type {
  ConnectOptions,
  Driver,
  DriverContext,
  DriverDefinition,
  LaunchOutcome,
  LaunchRequest,
  MachineMark,
  MachineStatus,
  MarkScope,
  TerminateOutcome,
} from "../../src/drivers/contract/driver.js";
import { isInScope, ThrottledError } from "../../src/drivers/contract/driver.js";
import { missingMachine } from "../../src/drivers/shared/missingMachine.js";
import {
  ConnectionError,
  type Channel,
  type ChannelEnd,
  type MachineConnection,
} from "../../src/machines/contract/connection.js";

interface ShellMachine {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly address: string;
}

class ShellCloud implements Driver {
  constructor(private readonly context: DriverContext) {
    mkdirSync(this.path("machines"), { recursive: true });
  }

  async launch(requests: readonly LaunchRequest[]): Promise<LaunchOutcome[]> {
    return requests.map((request, index) => ({
      key: request.key,
      kind: "launched",
      machine: this.status(this.all().find(({ key }) => key === request.key) ?? this.create(request, index)),
    }));
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    const known = new Map(this.all().map((machine) => [machine.id, machine]));
    return ids.map((id) => {
      const machine = known.get(id);
      return machine === undefined ? missingMachine(id, "terminated", "gone") : this.status(machine);
    });
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    for (const id of ids) {
      rmSync(this.path("directories", id), { recursive: true, force: true });
      rmSync(this.path("machines", id), { force: true });
    }
    return ids.map((id) => ({ id, kind: "terminated" }));
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    return this.all()
      .filter(({ mark }) => isInScope(mark, scope))
      .map((machine) => this.status(machine));
  }

  async connect(id: string, { data }: ConnectOptions): Promise<MachineConnection> {
    const { service, secret } = data as { readonly service: string; readonly secret: number };
    appendFileSync(this.path("connects"), `${service} ${secret}\n`);
    if (takeAway(this.path("throttle"))) throw new ThrottledError("fewer calls, please");
    const directory = this.path("directories", id);
    if (!existsSync(directory)) throw new ConnectionError(`machine ${id} is gone`);
    return connectTo(id, directory, this.path(`cut-${service}`));
  }

  private create({ key, mark }: LaunchRequest, index: number): ShellMachine {
    const id = `m-${readdirSync(this.path("machines")).length + 1}-${key}`;
    mkdirSync(this.path("directories", id, "home"), { recursive: true });
    const machine = { id, key, mark, address: `127.77.0.${index + 1}` };
    writeFileSync(this.path("machines", id), JSON.stringify(machine));
    return machine;
  }

  private all(): ShellMachine[] {
    return readdirSync(this.path("machines")).map(
      (name) => JSON.parse(readFileSync(this.path("machines", name), "utf8")) as ShellMachine,
    );
  }

  private status({ id, key, mark, address }: ShellMachine): MachineStatus {
    return {
      ...missingMachine(id, "unknown", ""),
      key,
      mark,
      state: existsSync(this.path("directories", id)) ? "running" : "stopped",
      host: address,
      access: { kind: "driver", cloud: this.context.cloud, id, data: { service: mark.service, secret: 42 } },
    };
  }

  private path(...names: readonly string[]): string {
    return join(this.context.stateDirectory, ...names);
  }
}

/** Whether the file was there. */
function takeAway(file: string): boolean {
  if (!existsSync(file)) return false;
  rmSync(file);
  return true;
}

function connectTo(id: string, directory: string, cutFile: string): MachineConnection {
  const open = new Set<Channel>();
  let alive = true;
  const end = (): void => {
    alive = false;
    clearInterval(watch);
    for (const channel of open) channel.close();
  };
  const watch = setInterval(() => {
    if (takeAway(cutFile)) end();
  }, 20).unref();
  return {
    label: `shell of ${id}`,
    workDirectory: join(directory, "work"),
    get alive() {
      return alive;
    },
    async open(command) {
      const channel = await startShell(join(directory, "home"), command);
      open.add(channel);
      void channel.ended.then(() => open.delete(channel));
      return channel;
    },
    async close() {
      end();
    },
  };
}

async function startShell(home: string, command: string): Promise<Channel> {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: home,
    env: { PATH: process.env["PATH"], HOME: home },
    detached: true,
  });
  await once(child, "spawn");
  const { stdin, stdout, stderr } = child;
  let letGo: (end: ChannelEnd) => void = () => undefined;
  const lost = new Promise<ChannelEnd>((resolve) => {
    letGo = resolve;
  });
  const exited = once(child, "close").then(([code]): ChannelEnd => ({ kind: "exited", code: code as number | null }));
  return {
    stdin,
    stdout,
    stderr,
    ended: Promise.race([exited, lost]),
    close() {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      child.unref();
      letGo({ kind: "lost", reason: "the channel was closed" });
    },
  };
}

const definition: DriverDefinition = {
  name: "shell-cloud",
  cloudSchema: null,
  launchSchema: null,
  sshDefaults: { hostKeys: "known-hosts", connectTimeoutMs: 10_000 },
  create: (context) => new ShellCloud(context),
};

export default definition;
