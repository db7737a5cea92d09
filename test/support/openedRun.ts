/** A run on real sshd hosts, whose context a test opens itself, as a launcher that stays would. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "@jest/globals";

import { bootRun } from "../../src/engine/operations/boot.js";
import { diffPlans } from "../../src/engine/planChange/planDiff.js";
import { withReplicaNumbers } from "../../src/engine/planChange/replicaNumbers.js";
import { packBundles } from "../../src/engine/programs/bundles.js";
import { MachineAssignments } from "../../src/engine/run/machineAssignments.js";
import type { RunContext } from "../../src/engine/run/context.js";
import { openContext } from "../../src/engine/session/openContext.js";
import type { Session } from "../../src/engine/session/session.js";
import { loadPlan } from "../../src/library/plans.js";
import type { RunEvent } from "../../src/model/events.js";
import type { RunRecord, VariableRecord } from "../../src/state/contract/records.js";
import { openStore, type Store } from "../../src/state/sqlite/store.js";
import type { Channel, MachineConnection } from "../../src/machines/contract/connection.js";
import { startSshPool, type SshPool } from "./sshPool.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export class OpenedRun {
  readonly events: RunEvent[] = [];
  private revision = 1;

  private constructor(
    private readonly directory: string,
    readonly store: Store,
    readonly pool: SshPool,
    private record: RunRecord | null,
  ) {}

  /** Hosts for a run that is not booted yet. */
  static async prepare(hosts: number): Promise<OpenedRun> {
    const pool = await startSshPool(hosts);
    cleanups.push(() => pool.stop());
    const directory = mkdtempSync(join(tmpdir(), "bootlevel context é "));
    cleanups.push(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const store = await openStore(join(directory, "home"));
    cleanups.push(() => {
      store.close();
    });
    return new OpenedRun(directory, store, pool, null);
  }

  /** Boots `levels` on as many hosts. */
  static async boot(hosts: number, levels: string, variables: readonly VariableRecord[] = []): Promise<OpenedRun> {
    const own = await OpenedRun.prepare(hosts);
    const result = await bootRun(own.store, {
      plan: await own.plan(levels),
      variables,
      name: "r",
      observe: () => undefined,
      signal: new AbortController().signal,
    });
    if (result.state !== "ready") throw new Error(JSON.stringify(result));
    own.record = await own.store.findRun("r");
    own.clear(own.record.uid);
    return own;
  }

  get run(): RunRecord {
    if (this.record === null) throw new Error("it is not booted yet");
    return this.record;
  }

  /** Whatever the run staged goes after the test: all hosts share the home of whoever runs it. */
  clear(uid: string): void {
    cleanups.push(() => {
      rmSync(join(homedir(), ".bootlevel", "runs", uid), { recursive: true, force: true });
    });
  }

  async plan(levels: string) {
    writeFileSync(join(this.directory, "launch.yaml"), `plan: opened\n${this.pool.head}${levels}`);
    return loadPlan(this.directory);
  }

  /** Opens a context, under the run's lease unless it only looks; it is closed after the test at the latest. */
  async open(session: Session | null, options: { readonly looks?: boolean } = {}): Promise<RunContext> {
    const { run, store } = this;
    const writer = options.looks === true ? null : await store.takeRun(run, "test");
    if (writer !== null) cleanups.push(() => writer.release());
    return openContext({
      run,
      store,
      writer,
      stop: new AbortController().signal,
      observe: (event) => this.events.push(event),
      ...(session && { session }),
    });
  }

  /** Stores a changed plan, as `reload` does, and nothing else. */
  async revise(context: RunContext, levels: string, variables: readonly VariableRecord[] = []): Promise<void> {
    const { store, run } = this;
    const stored = await store.plan(run);
    const services = await store.services(run);
    const plan = withReplicaNumbers(stored.plan, await this.plan(levels), services, await store.replicasEver(run));
    const after = { plan, bundles: await packBundles(plan, store.files.bundles), variables };
    const before = { ...stored, variables: await store.variables(run) };
    const changes = diffPlans(before, after, services, run.name);
    this.revision += 1;
    await context.writer?.storeRevision({
      revision: this.revision,
      ...after,
      services: changes
        .filter(({ action }) => action !== "remove")
        .map(({ id, level, spec, name, replica }) => ({ id, level, spec, name, replica, due: null })),
      dropped: changes.flatMap(({ id, action }) => (action === "remove" && id !== null ? [id] : [])),
    });
  }

  /** The connection to a service's machine, through a context. */
  async connection(context: RunContext, service: string): Promise<MachineConnection> {
    const found = context.byName.get(service);
    if (found === undefined) throw new Error(`the run has no service ${service}`);
    return (await MachineAssignments.read(context)).machineLink(found).connection();
  }

  /** How many connections all hosts have let in so far. */
  async logins(): Promise<number> {
    return this.count("Accepted publickey");
  }

  /** How many of them have ended. */
  async goodbyes(): Promise<number> {
    return this.count("Disconnected from user");
  }

  private async count(words: string): Promise<number> {
    const logs = await Promise.all(
      this.pool.hosts.map(({ directory }) => readFile(join(directory, "sshd.log"), "utf8")),
    );
    return logs.join("").split(words).length - 1;
  }
}

/** All that a command says, and how it ended. */
export async function said(channel: Channel): Promise<{ text: string; code: number | null }> {
  let text = "";
  channel.stdout.on("data", (part: Buffer) => (text += part.toString()));
  channel.stdin.end();
  const end = await channel.ended;
  return { text: text.trim(), code: end.kind === "exited" ? end.code : null };
}
