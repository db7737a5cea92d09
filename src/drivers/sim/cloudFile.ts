/**
 * The file of a simulated cloud. It is an SQLite database, so that it stays intact if a process dies, and several
 * processes can use it at once.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";

import type Database from "better-sqlite3";

import { isNativePartError, openSqlite } from "../../files/openSqlite.js";
import { useWal } from "../../files/writeAheadLog.js";
import { DriverError, isDriverError, type MachineMark, type MarkScope } from "../contract/driver.js";

/** One machine. Moments are milliseconds since the epoch. Future moments were drawn at its launch. */
export interface MachineRow {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly address: string;
  readonly launchedAt: number;
  readonly visibleAt: number;
  readonly runningAt: number;
  /** When it fails by itself, or null for never. */
  readonly diesAt: number | null;
  /** When it was destroyed on request, or null. */
  readonly terminatedAt: number | null;
  /** Intervals [from, until) in which programs cannot reach it. */
  readonly outages: readonly (readonly [number, number])[];
  /** The service's `launch:`. */
  readonly launch: Readonly<Record<string, unknown>>;
}

/** One step that began on a machine, or must never begin. Its end was drawn when it began. */
export interface ProgramRow {
  readonly machine: string;
  readonly directory: string;
  /**
   * "never": its result was requested before it began, and it must not begin any more. "killed": it was killed from
   * outside.
   */
  readonly state: "started" | "killed" | "never";
  /** Null: it never ends. */
  readonly endsAt: number | null;
  readonly exit: number;
  readonly outputs: Readonly<Record<string, string>>;
  /** The output that it prints at its end. */
  readonly output: string;
}

const FORMAT = 1;
const TABLES = `
  CREATE TABLE machine (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, installation TEXT NOT NULL, run TEXT NOT NULL, run_name TEXT NOT NULL, service TEXT NOT NULL,
    address TEXT NOT NULL, launched_at INTEGER NOT NULL, visible_at INTEGER NOT NULL, running_at INTEGER NOT NULL,
    dies_at INTEGER, terminated_at INTEGER, outages TEXT NOT NULL, launch TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX machine_mark ON machine (installation, run) WHERE terminated_at IS NULL;
  CREATE UNIQUE INDEX machine_address ON machine (address) WHERE terminated_at IS NULL;
  CREATE TABLE program (
    machine TEXT NOT NULL REFERENCES machine, directory TEXT NOT NULL, state TEXT NOT NULL, ends_at INTEGER, exit INTEGER NOT NULL,
    outputs TEXT NOT NULL, output TEXT NOT NULL, PRIMARY KEY (machine, directory)
  ) WITHOUT ROWID;
  CREATE TABLE counter (scope TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (scope, name)) WITHOUT ROWID;
  CREATE TABLE bucket (tokens REAL NOT NULL, at INTEGER NOT NULL);
`;

export class CloudFile {
  private readonly db: Database.Database;
  /** Work for the next common transaction. */
  private readonly gathered: { readonly settle: () => () => void; readonly reject: (error: Error) => void }[] = [];
  private readonly statements = new Map<string, Database.Statement>();

  /**
   * Opens the file. Creates it with mode 0600 if it does not exist.
   * @throws DriverError if it is not such a file or cannot be used.
   */
  constructor(readonly path: string) {
    let db: Database.Database | null = null;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // Its -wal and -shm files take the mode of this file.
      closeSync(openSync(path, "a", 0o600));
      this.db = db = openSqlite(path, { timeout: 30_000 });
      useWal(this.db);
      // Safe if a process dies. After a power failure the last commits may be missing, which is acceptable for
      // simulated machines.
      this.db.pragma("synchronous = NORMAL");
      this.transaction(() => {
        this.makeTables();
      });
    } catch (error) {
      db?.close();
      if (isDriverError(error) || isNativePartError(error)) throw error;
      throw new DriverError(`the simulated cloud's file ${path} cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Executes `work` atomically. Other processes cannot write meanwhile. */
  transaction<T>(work: () => T): T {
    return this.db.transaction(work).immediate();
  }

  /**
   * Like `transaction`, together with others of the same moment: ten thousand programs that begin at once are one
   * commit. `work` must not write before it throws.
   */
  together<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.gathered.length === 0)
        queueMicrotask(() => {
          this.carryOutGathered();
        });
      const settle = (): (() => void) => {
        try {
          const value = work();
          return () => {
            resolve(value);
          };
        } catch (error) {
          return () => {
            reject(error instanceof Error ? error : new Error(String(error)));
          };
        }
      };
      this.gathered.push({ settle, reject });
    });
  }

  private carryOutGathered(): void {
    const gathered = this.gathered.splice(0);
    try {
      // Nobody is told before all of it is committed.
      const tell = this.transaction(() => gathered.map(({ settle }) => settle()));
      for (const told of tell) told();
    } catch (error) {
      for (const { reject } of gathered) reject(error as Error);
    }
  }

  /** Executes many reads in one transaction, which is cheaper than one by one. */
  read<T>(work: () => T): T {
    return this.db.transaction(work).deferred();
  }

  machine(id: string): MachineRow | null {
    return machineRow(this.statement("SELECT * FROM machine WHERE id = ?").get(id));
  }

  machineOfKey(key: string): MachineRow | null {
    return machineRow(this.statement("SELECT * FROM machine WHERE key = ?").get(key));
  }

  /** Machines that were not terminated on request, dead ones included. */
  machinesInScope({ installation, run }: MarkScope): MachineRow[] {
    const rows = this.statement(
      "SELECT * FROM machine WHERE installation = ? AND (? IS NULL OR run = ?) AND terminated_at IS NULL",
    ).all(installation, run, run);
    return rows.map(machineRow).filter((row) => row !== null);
  }

  /** The number of machines that are alive at this moment. */
  aliveAt(now: number): number {
    return this.statement(
      "SELECT count(*) FROM machine WHERE terminated_at IS NULL AND (dies_at IS NULL OR dies_at > ?)",
    )
      .pluck()
      .get(now) as number;
  }

  isFree(address: string): boolean {
    return (
      this.statement("SELECT 1 FROM machine WHERE address = ? AND terminated_at IS NULL").get(address) === undefined
    );
  }

  addMachine({ id, key, mark, address, launchedAt, visibleAt, runningAt, diesAt, outages, launch }: MachineRow): void {
    this.statement("INSERT INTO machine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)").run(
      id,
      key,
      mark.installation,
      mark.run,
      mark.runName,
      mark.service,
      address,
      launchedAt,
      visibleAt,
      runningAt,
      diesAt,
      JSON.stringify(outages),
      JSON.stringify(launch),
    );
  }

  terminateMachine(id: string, now: number): void {
    this.statement("UPDATE machine SET terminated_at = ? WHERE id = ? AND terminated_at IS NULL").run(now, id);
  }

  program(machine: string, directory: string): ProgramRow | null {
    const row = this.statement("SELECT * FROM program WHERE machine = ? AND directory = ?").get(machine, directory) as
      Record<string, unknown> | undefined;
    if (row === undefined) return null;
    return {
      machine,
      directory,
      state: row["state"] as ProgramRow["state"],
      endsAt: row["ends_at"] as number | null,
      exit: row["exit"] as number,
      outputs: JSON.parse(row["outputs"] as string) as Record<string, string>,
      output: row["output"] as string,
    };
  }

  addProgram({ machine, directory, state, endsAt, exit, outputs, output }: ProgramRow): void {
    this.statement("INSERT INTO program VALUES (?, ?, ?, ?, ?, ?, ?)").run(
      machine,
      directory,
      state,
      endsAt,
      exit,
      JSON.stringify(outputs),
      output,
    );
  }

  /** Kills a program from outside. */
  killProgram(machine: string, directory: string): void {
    this.statement("UPDATE program SET state = 'killed' WHERE machine = ? AND directory = ? AND state = 'started'").run(
      machine,
      directory,
    );
  }

  /**
   * Increments a counter within a run.
   * @returns the new count.
   */
  count(scope: string, name: string): number {
    return this.statement(
      "INSERT INTO counter VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
    )
      .pluck()
      .get(scope, name) as number;
  }

  /**
   * Takes a token from a bucket that fills with `rate` tokens per second and holds as many (at least one).
   * @returns whether there was one.
   */
  takeToken(rate: number, now: number): boolean {
    return this.transaction(() => {
      const bucket = this.statement("SELECT tokens, at FROM bucket").get() as
        { tokens: number; at: number } | undefined;
      const size = Math.max(1, rate);
      const tokens =
        bucket === undefined ? size : Math.min(size, bucket.tokens + (Math.max(0, now - bucket.at) * rate) / 1000);
      this.statement("DELETE FROM bucket").run();
      this.statement("INSERT INTO bucket VALUES (?, ?)").run(tokens < 1 ? tokens : tokens - 1, now);
      return tokens >= 1;
    });
  }

  close(): void {
    this.db.close();
  }

  private makeTables(): void {
    const format = this.db.pragma("user_version", { simple: true });
    if (format === FORMAT) return;
    if (format !== 0)
      throw new DriverError(
        `the simulated cloud's file ${this.path} was written by another version ` +
          `of bootlevel (format ${String(format)}, this one knows ${FORMAT})`,
      );
    this.db.exec(TABLES);
    this.db.pragma(`user_version = ${FORMAT}`);
  }

  private statement(sql: string): Database.Statement {
    let statement = this.statements.get(sql);
    if (statement === undefined) this.statements.set(sql, (statement = this.db.prepare(sql)));
    return statement;
  }
}

/** Parses a row lazily: ten thousand machines are read at once and often, and most queries need few fields. */
function machineRow(found: unknown): MachineRow | null {
  if (found === undefined) return null;
  const row = found as Record<string, string> & {
    launched_at: number;
    visible_at: number;
    running_at: number;
    dies_at: number | null;
    terminated_at: number | null;
  };
  const {
    id = "",
    key = "",
    installation = "",
    run = "",
    run_name: runName = "",
    service = "",
    address = "",
    outages = "",
    launch = "",
  } = row;
  return {
    id,
    key,
    address,
    mark: { installation, run, runName, service },
    launchedAt: row.launched_at,
    visibleAt: row.visible_at,
    runningAt: row.running_at,
    diesAt: row.dies_at,
    terminatedAt: row.terminated_at,
    outages: outages === "[]" ? NONE : (JSON.parse(outages) as [number, number][]),
    get launch() {
      return JSON.parse(launch) as Record<string, unknown>;
    },
  };
}

const NONE: MachineRow["outages"] = [];
