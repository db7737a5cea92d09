/**
 * Runs of the whole engine on a simulated cloud and a virtual clock: hours of launches in a moment, and every event and
 * call on record.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "@jest/globals";

import { loadDriver } from "../../src/drivers/registry.js";
import { bootRun, type BootResult } from "../../src/engine/operations/boot.js";
import { runHistory, type PastMachine } from "../../src/engine/operations/history.js";
import { rebootRun } from "../../src/engine/operations/reboot.js";
import { reloadRun } from "../../src/engine/operations/reload.js";
import { repairRun, type RepairResult } from "../../src/engine/operations/repair.js";
import { resumeRun } from "../../src/engine/operations/resume.js";
import { showRun, type ShownService } from "../../src/engine/operations/show.js";
import { terminateRun, type TerminateResult } from "../../src/engine/operations/terminate.js";
import type { RunEvent } from "../../src/model/events.js";
import { type LaunchPlan } from "../../src/index.js";
import type { MachineRecord } from "../../src/state/contract/records.js";
import { openStore } from "../../src/state/openStore.js";
import type { Store } from "../../src/state/contract/store.js";
import { VirtualClock } from "../../src/time/virtualClock.js";
import { START } from "./simCloud.js";
import { loadPlan } from "../../src/library/plans.js";

const opened: Store[] = [];
/** In memory where that can be: thousands of writes need not outlive a power failure. */
const directories: string[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export class SimRun {
  /** What the last command told. */
  events: RunEvent[] = [];
  /** What the last command asked of the cloud, and wrote, in order: `launch`, `describe`, `write intent+…`. */
  points: string[] = [];
  /** When it was interrupted, if an event was to do that. */
  private stop = new AbortController();

  private constructor(
    private readonly directory: string,
    readonly store: Store,
  ) {}

  static async open(): Promise<SimRun> {
    const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bootlevel sim é "));
    directories.push(directory);
    // Loaded before time is simulated, which would not wait for it.
    await loadDriver("sim", directory);
    const clock = new VirtualClock(START);
    const held: { run?: SimRun } = {};
    const store = await openStore(join(directory, "home"), {
      clock,
      random: () => 0.5,
      probe: (point) => {
        if (point.startsWith("before")) held.run?.points.push(point.replace(/^before (sky )?/, ""));
      },
    });
    opened.push(store);
    held.run = new SimRun(directory, store);
    return held.run;
  }

  /** Boots a plan; `cloud` are keys of the simulated cloud. */
  async boot(cloud: string, plan: string, stopAt: (event: RunEvent) => boolean = () => false): Promise<BootResult> {
    const loaded = await this.plan(cloud, plan);
    return bootRun(this.store, { plan: loaded, variables: [], name: "r", ...this.watch(stopAt) });
  }

  async resume(): Promise<BootResult> {
    return resumeRun(this.store, await this.store.findRun("r"), { ...this.watch(), waitMs: 0 });
  }

  async repair(maxReplacements: number | null = null): Promise<RepairResult> {
    return repairRun(this.store, await this.store.findRun("r"), {
      ...this.watch(),
      waitMs: 0,
      replace: [],
      maxReplacements,
      force: false,
      dryRun: false,
    });
  }

  async reboot(): Promise<BootResult> {
    return rebootRun(this.store, await this.store.findRun("r"), {
      ...this.watch(),
      waitMs: 0,
      services: [],
      force: false,
    });
  }

  async reload(cloud: string, plan: string): Promise<BootResult> {
    const loaded = await this.plan(cloud, plan);
    return reloadRun(this.store, await this.store.findRun("r"), {
      ...this.watch(),
      waitMs: 0,
      plan: loaded,
      chooseVariables: () => [],
      confirm: async () => true,
      force: false,
    });
  }

  async terminate(): Promise<TerminateResult> {
    return terminateRun(this.store, await this.store.findRun("r"), {
      ...this.watch(),
      waitMs: 0,
      force: false,
      keep: false,
    });
  }

  /** Machines on record, as they were asked for. */
  async machines(): Promise<MachineRecord[]> {
    return this.store.machines(await this.store.findRun("r"));
  }

  /** Machines by the ends of their keys, such as `web-1.1`, as they were asked for. */
  async keys(): Promise<string[]> {
    return (await this.machines()).map(({ key }) => key.slice(key.indexOf(".") + 1));
  }

  /** What the cloud says of each machine ever started, by the end of its key. */
  async past(): Promise<Map<string, PastMachine>> {
    const { machines } = await runHistory(
      this.store,
      await this.store.findRun("r"),
      () => undefined,
      new AbortController().signal,
    );
    return new Map(machines.map((machine) => [machine.key.slice(machine.key.indexOf(".") + 1), machine]));
  }

  async service(name: string): Promise<ShownService> {
    const { levels } = await showRun(this.store, await this.store.findRun("r"));
    const found = levels.flatMap(({ services }) => services).find((service) => service.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Seconds after the start of the command at which an event was told first. */
  at(what: (event: RunEvent) => boolean): number {
    const found = this.events.find(what);
    if (found === undefined) throw new Error("there is no such event");
    return (found.at - (this.events[0]?.at ?? 0)) / 1_000;
  }

  /** When a service entered a state. */
  state(service: string, state: string): number {
    return this.at((event) => event.type === "service-state" && event.service === service && event.state === state);
  }

  /** When a level began. */
  level(name: string): number {
    return this.at((event) => event.type === "level-started" && event.level === name);
  }

  warnings(): string[] {
    return this.events.flatMap((event) =>
      event.type === "warning" ? [`${event.service ?? ""}: ${event.message}`] : [],
    );
  }

  /** How often the cloud was asked. */
  calls(verb: string): number {
    return this.points.filter((point) => point === verb).length;
  }

  private watch(stopAt: (event: RunEvent) => boolean = () => false) {
    this.events = [];
    this.points = [];
    this.stop = new AbortController();
    const observe = (event: RunEvent): void => {
      this.events.push(event);
      if (stopAt(event)) this.stop.abort();
    };
    return { observe, signal: this.stop.signal };
  }

  private async plan(cloud: string, text: string) {
    const file = join(this.directory, "plan.yaml");
    writeFileSync(
      file,
      `plan: p\nclouds: { sky: { driver: sim, seed: 1, ${cloud} } }\ndefaults: { cloud: sky, timeout: 10m }\n${text}`,
    );
    // As it is stored: in a test's own realm a loaded plan and a stored one are not made of the same classes.
    return JSON.parse(JSON.stringify(await loadPlan(file))) as LaunchPlan;
  }
}
