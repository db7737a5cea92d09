/**
 * A home, a cloud and a launcher of their own, put back to where they were before every death: plans and records hold
 * absolute paths, so a state cannot be copied elsewhere, but it can be saved and restored in its place.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";
import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import { bundled, Launcher, type Frozen, type Outcome } from "./launchers.js";
import type { Command, Death, Report } from "./launcher.js";
import { cloudFiles, cloudMachines, linesOf } from "./testCloudFiles.js";
import { loadPlan } from "../../src/library/plans.js";

/** The test cloud with these options, or the real driver for machines on this computer. */
export type CloudKind = { readonly driver: "test"; readonly options: string } | { readonly driver: "local" };

export const RUN = "kill";

/** A machine, in the words of the driver's own files. */
export interface ListedMachine {
  readonly id: string;
  readonly service: string;
}

export class Lane {
  private readonly directory = mkdtempSync(join(tmpdir(), "bootlevel kill é "));
  private readonly launcher = new Launcher();
  private rival: Launcher | null = null;

  constructor(private readonly cloud: CloudKind) {
    for (const folder of [this.home, this.facts]) mkdirSync(folder);
  }

  private get home(): string {
    return join(this.directory, "home");
  }
  /** The name of its cloud in the plan. */
  get cloudName(): string {
    return this.cloud.driver === "local" ? "local" : "c";
  }
  /** How long its cloud may not show a machine yet, in milliseconds. */
  get visibilityMs(): number {
    return this.cloud.driver === "local" ? 0 : Number(/visibilityMs: (\d+)/.exec(this.cloud.options)?.[1] ?? 0);
  }
  /** Where programs write what they did. */
  get facts(): string {
    return join(this.directory, "facts");
  }
  private get driverState(): string {
    return join(this.home, "drivers", this.cloud.driver === "local" ? "local" : "test-cloud");
  }

  async plan(levels: (facts: string) => string, prelaunch: LaunchPlan["prelaunch"] = "next"): Promise<LaunchPlan> {
    const { cloud } = await bundled();
    const clouds =
      this.cloud.driver === "local" ? "" : `clouds: { c: { driver: "${cloud}", ${this.cloud.options} } }\n`;
    const file = join(this.directory, "plan.yaml");
    writeFileSync(file, `plan: kill\nprelaunch: ${prelaunch}\n${clouds}levels:\n${levels(this.facts)}`);
    return loadPlan(file);
  }

  /** Carries a command out, up to its end or its death. */
  carryOut(command: Command, death: Death | null = null, killAfterMs: number | null = null): Promise<Outcome> {
    return this.launcher.carryOut({ home: this.home, run: RUN, command, death }, killAfterMs);
  }

  /** Carries a command out that nobody kills. */
  async finish(command: Command): Promise<Report> {
    const outcome = await this.carryOut(command);
    if (outcome.kind === "killed") throw new Error("nobody was to die");
    return outcome.report;
  }

  /** Freezes a launcher at a point of a command. */
  freeze(command: Command, point: number | string): Promise<Frozen> {
    return this.launcher.freeze({ home: this.home, run: RUN, command, death: { point, signal: "SIGSTOP" } });
  }

  /** Carries a command out in another process, which is made with `env` when it is first needed. */
  async finishBeside(command: Command, env: Readonly<Record<string, string>> = {}): Promise<Report> {
    this.rival ??= new Launcher(env);
    const outcome = await this.rival.carryOut({ home: this.home, run: RUN, command, death: null });
    if (outcome.kind === "killed") throw new Error("nobody was to die");
    return outcome.report;
  }

  /** Whoever has the lease has been silent for a minute, as the record says. */
  silence(): void {
    const db = new Database(join(this.home, "bootlevel.db"));
    db.prepare("UPDATE leases SET renewed_at = renewed_at - 60000, renewed_uptime = renewed_uptime - 60000").run();
    db.close();
  }

  /** Every call to the cloud so far: process, verb, keys or ids. */
  calls(): string[] {
    return linesOf(cloudFiles(this.driverState).calls);
  }

  /** How many events the record has. */
  events(): number {
    const db = new Database(join(this.home, "bootlevel.db"), { readonly: true });
    const { count } = db.prepare<[], { count: number }>("SELECT count(*) AS count FROM events").get() as {
      count: number;
    };
    db.close();
    return count;
  }

  save(): void {
    for (const folder of ["home", "facts"])
      cpSync(join(this.directory, folder), join(this.directory, `${folder} saved`), { recursive: true });
  }

  restore(): void {
    for (const folder of ["home", "facts"]) {
      rmSync(join(this.directory, folder), { recursive: true, force: true });
      cpSync(join(this.directory, `${folder} saved`), join(this.directory, folder), { recursive: true });
    }
  }

  /** The driver's own list. */
  machines(): ListedMachine[] {
    if (this.cloud.driver === "test")
      return cloudMachines(this.driverState).map(({ id, mark }) => ({ id, service: mark.service }));
    const claims = join(this.driverState, "claims");
    if (!existsSync(claims)) return [];
    return readdirSync(claims)
      .filter((name) => !name.startsWith("."))
      .map((name) => {
        const { id, mark } = JSON.parse(readFileSync(join(claims, name), "utf8")) as {
          id: string;
          mark: { service: string };
        };
        return { id, service: mark.service };
      });
  }

  /** Directories of machines, which are to go with them. */
  directories(): string[] {
    const folder = join(this.driverState, this.cloud.driver === "local" ? "machines" : "directories");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** How many machines were made so far; null where the driver does not tell. */
  created(): number | null {
    return this.cloud.driver === "test" ? linesOf(cloudFiles(this.driverState).created).length : null;
  }

  /** Machines that were made while their service had another one. */
  doubles(): string[] {
    return linesOf(cloudFiles(this.driverState).doubles);
  }

  /** What the boot program wrote on a machine: "begin" and "end" each time that it ran. */
  boots(id: string): string[] {
    return linesOf(join(this.facts, id));
  }

  /** Loses a service's machine as clouds do. */
  lose(service: string): void {
    const machine = this.machines().find((one) => one.service === service);
    if (machine === undefined) throw new Error(`${service} has no machine`);
    if (this.cloud.driver === "local")
      return rmSync(join(this.driverState, "machines", machine.id), { recursive: true });
    const { key } = cloudMachines(this.driverState).find(({ id }) => id === machine.id) as { key: string };
    rmSync(join(cloudFiles(this.driverState).machines, key));
    rmSync(join(this.driverState, "directories", machine.id), { recursive: true });
  }

  async close(): Promise<void> {
    await this.launcher.stop();
    await this.rival?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
