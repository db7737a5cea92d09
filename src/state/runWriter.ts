/** Every write to a run. Each is one transaction that first proves the lease: a launcher that lost it can write nothing. */
import type { RunEvent, RunState, ServiceFailure, ServiceState, StepName } from "../events.js";
import type { Cipher } from "./cipher.js";
import { asStateError, type Db } from "./database.js";
import { acquireLease, assertLease, releaseLease, renewLease } from "./leases.js";
import type { AttributeRecord, RunRecord } from "./records.js";
import { attributePlace } from "./runReader.js";

/** What a driver told of a machine, as the record keeps it. */
export interface LaunchedMachine {
  readonly driverId: string;
  readonly host: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  readonly access: string | null;
}

export class RunWriter {
  private constructor(
    private readonly db: Db,
    private readonly cipher: Cipher,
    readonly run: Pick<RunRecord, "id" | "uid" | "name">,
    private readonly fence: number,
  ) {}

  /**
   * Takes the run's lease for `command` (for people: `boot`, `terminate`).
   * @throws RunBusyError when another launcher works on the run.
   */
  static take(db: Db, cipher: Cipher, run: Pick<RunRecord, "id" | "uid" | "name">, command: string): RunWriter {
    const fence = acquireLease(db, run, `${process.pid}`, command);
    return new RunWriter(db, cipher, run, fence);
  }

  async renew(): Promise<void> {
    renewLease(this.db, this.run.id, this.fence);
  }

  async release(): Promise<void> {
    releaseLease(this.db, this.run.id, this.fence);
  }

  async setRunState(state: RunState): Promise<void> {
    this.write("UPDATE runs SET state = ?, updated_at = ? WHERE id = ?", state, Date.now(), this.run.id);
  }

  /** Moves a service to a state; a failure stays with it until it is in another state than "failed". */
  async setServiceState(serviceId: number, state: ServiceState, failure: ServiceFailure | null): Promise<void> {
    this.write("UPDATE services SET state = ?, failure = ?, updated_at = ? WHERE id = ?", state, failure && JSON.stringify(failure), Date.now(), serviceId);
  }

  /** Its boot program is about to be started: from now on its terminate program has something to do. */
  async markBooted(serviceId: number): Promise<void> {
    this.write("UPDATE services SET booted = 1 WHERE id = ?", serviceId);
  }

  /** Writes down what is about to be asked of a driver, for a whole batch, before it is asked. */
  async intendMachines(wishes: readonly { serviceId: number; cloud: string; key: string; generation: number }[]): Promise<void> {
    this.transaction(() => {
      const insert = this.db.prepare("INSERT INTO machines (run_id, service_id, cloud, key, generation, state, requested_at) VALUES (?, ?, ?, ?, ?, 'intended', ?) ON CONFLICT (key) DO NOTHING");
      for (const wish of wishes) insert.run(this.run.id, wish.serviceId, wish.cloud, wish.key, wish.generation, Date.now());
    });
  }

  /** The driver has answered with a machine: written before anything waits for it. */
  async machineLaunched(key: string, machine: LaunchedMachine): Promise<void> {
    this.write(
      `UPDATE machines SET state = 'running', driver_id = ?, host = ?, private_host = ?, hostname = ?, access = ?, launched_at = coalesce(launched_at, ?) WHERE key = ?`,
      machine.driverId, machine.host, machine.privateHost, machine.hostname, machine.access, Date.now(), key,
    );
  }

  /** The machine does not exist any more, or never came to be. */
  async machineEnded(key: string, reason: string): Promise<void> {
    this.write("UPDATE machines SET state = 'ended', ended_at = ?, end_reason = ? WHERE key = ? AND state <> 'ended'", Date.now(), reason, key);
  }

  /** Stores attributes; secret ones are encrypted. */
  async saveAttributes(attributes: readonly AttributeRecord[]): Promise<void> {
    this.transaction(() => {
      const insert = this.db.prepare("INSERT OR REPLACE INTO attributes (service_id, name, kind, secret, value, sealed) VALUES (?, ?, ?, ?, ?, ?)");
      for (const { serviceId, name, kind, secret, value } of attributes) {
        const sealed = secret ? this.cipher.seal(value, attributePlace(this.run.uid, serviceId, name)) : null;
        insert.run(serviceId, name, kind, secret ? 1 : 0, secret ? null : value, sealed);
      }
    });
  }

  /**
   * Writes down that a step begins, and where its program will lie on the machine (`directory`, told the step's number), so that it can be found
   * again whatever happens to the launcher.
   * @returns the step's number, unique in the database.
   */
  async beginStep(serviceId: number, step: StepName, attempt: number, directory: (id: number) => string | null): Promise<number> {
    return this.transaction(() => {
      const insert = this.db.prepare("INSERT INTO steps (service_id, step, attempt, started_at) VALUES (?, ?, ?, ?)");
      const id = Number(insert.run(serviceId, step, attempt, Date.now()).lastInsertRowid);
      this.db.prepare("UPDATE steps SET directory = ? WHERE id = ?").run(directory(id), id);
      return id;
    });
  }

  async endStep(stepId: number, outcome: string, exitCode: number | null): Promise<void> {
    this.write("UPDATE steps SET ended_at = ?, outcome = ?, exit_code = ? WHERE id = ?", Date.now(), outcome, exitCode, stepId);
  }

  async appendEvent(event: RunEvent): Promise<void> {
    const { at, type, ...data } = event;
    const service = "service" in event ? event.service : type === "service-failed" ? event.failure.service : null;
    this.write("INSERT INTO events (run_id, at, type, service, data) VALUES (?, ?, ?, ?, ?)", this.run.id, at, type, service, JSON.stringify(data));
  }

  async pinHostKey(scope: string, address: string, key: string): Promise<void> {
    this.write("INSERT OR IGNORE INTO host_keys (scope, address, key, pinned_at) VALUES (?, ?, ?, ?)", scope, address, key, Date.now());
  }

  private write(sql: string, ...values: unknown[]): void {
    this.transaction(() => this.db.prepare(sql).run(...values));
  }

  private transaction<T>(work: () => T): T {
    try {
      return this.db
        .transaction(() => {
          assertLease(this.db, this.run.id, this.fence);
          return work();
        })
        .immediate();
    } catch (error) {
      throw asStateError(error, this.db.name);
    }
  }
}
