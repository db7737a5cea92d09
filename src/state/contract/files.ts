/**
 * The files of a run: its programs, the logs of its steps, its reports. Only an implementation knows where they are
 * stored. All other code names a bundle by its hash, a log by its service and step, and a report by its replica. `uid`
 * is the run's unique id. All methods throw `FileError` if a file cannot be read or written.
 */
import type { Readable } from "node:stream";

import type { NewArchive, ArchiveMember, ReportManifest } from "./reportArchive.js";

export interface RunFiles {
  readonly bundles: BundleFiles;
  readonly logs: LogFiles;
  readonly reports: ReportFiles;
}

/** The identity of a bundle's content. */
export interface BundleContent {
  /** Hash of the content, in hexadecimal. It is the bundle's name. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** Packed programs. Runs with equal content share a bundle. Bundles are immutable. */
export interface BundleFiles {
  /**
   * Stores a bundle atomically. Equal content is stored once, even if it is put several times concurrently.
   * @throws FileError, and the errors of reading `content` unchanged.
   */
  put(content: AsyncIterable<Buffer>): Promise<BundleContent>;
  /**
   * Opens a bundle for reading from its beginning.
   * @throws FileError if it is missing or has another size.
   */
  open(bundle: BundleContent): Promise<Readable>;
}

/** Identifies a log of a run. */
export interface LogName {
  /** The replica. */
  readonly service: string;
  readonly step: string;
}

export interface StoredLog extends LogName {
  /** The location to show to people: on a disk, the absolute path. */
  readonly location: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

export interface FollowOptions {
  /** Selects and orders the logs to follow. Called again each time, because logs and services may be added. */
  readonly choose: (logs: readonly StoredLog[]) => Promise<readonly StoredLog[]>;
  /** Whether more text can follow. Called before the logs are read, so that the last text is not missed. */
  readonly goesOn: () => Promise<boolean>;
}

/**
 * One log per service and step. It contains all attempts, the newest last. Secrets are redacted before text arrives
 * here.
 */
export interface LogFiles {
  /** The location of a log to show to people, whether it exists or not. */
  location(uid: string, log: LogName): string;
  /** The existing logs of a run, by service and step. If a replica is given, only its logs. */
  list(uid: string, service?: string): Promise<StoredLog[]>;
  /**
   * Opens a log for appending. Creates it if necessary.
   * @param limitBytes its maximum size, in bytes: of a longer one, the middle is cut out. Default: none.
   */
  open(uid: string, log: LogName, limitBytes?: number): Promise<LogWriter>;
  /** The bytes of a log from offset `from` up to, but not including, offset `to`. */
  read(uid: string, log: LogName, range: { readonly from: number; readonly to: number }): AsyncIterable<Buffer>;
  /**
   * Streams the text of logs, then new text while `goesOn` returns true. The text of each log is in order. If text was
   * cut out before it was read, a line says so.
   */
  follow(uid: string, options: FollowOptions): AsyncGenerator<StoredLog & { readonly text: string }>;
  /**
   * Renames logs when their services are renamed. Names may be swapped. A log that already has the new name is
   * continued.
   */
  rename(uid: string, renames: readonly { readonly from: string; readonly to: string }[]): Promise<void>;
}

export interface LogWriter {
  /**
   * Appends text, in the order of the calls.
   * @throws FileError as soon as it is known that the text cannot be stored. If that is known only later, `close`
   * throws it.
   */
  append(text: string): void;
  /** Resolves when all text is stored. */
  close(): Promise<void>;
}

/** Identifies a report: `web-2`, or `web-2.1` for the replica's first machine, which was replaced. */
export interface StoredReport {
  readonly archive: string;
  /** The replica. */
  readonly service: string;
  /** The number of the earlier machine. Null for the newest report. */
  readonly generation: number | null;
  /** The location to show to people: on a disk, the absolute path. */
  readonly location: string;
  readonly bytes: number;
}

/** Reports: one archive (.tar.gz) per replica, and one for each of its earlier machines. */
export interface ReportFiles {
  /** The location of a replica's newest report to show to people, whether it exists or not. */
  location(uid: string, service: string): string;
  /** The reports of a run, by replica, the newest of each first. */
  list(uid: string): Promise<StoredReport[]>;
  /** The manifest of an archive. Null if the archive is damaged or missing. */
  manifest(uid: string, archive: string): Promise<ReportManifest | null>;
  /**
   * The files in an archive, in its order.
   * @param members receives them one by one. If this throws, it has the files before the damage.
   * @throws FileError if the archive is damaged
   */
  members(uid: string, archive: string, members?: ArchiveMember[]): Promise<ArchiveMember[]>;
  /** The bytes of one file in an archive. Reading throws FileError if the archive is damaged. */
  openMember(uid: string, archive: string, file: string): Readable;
  /** The unchanged archive, for copying. */
  open(uid: string, archive: string): Promise<Readable>;
  /**
   * Prepares for a replica's report, and removes what a dead launcher left behind. The caller holds the run's lease, so
   * there is no other writer.
   */
  prepare(uid: string, service: string): Promise<void>;
  /**
   * Begins a replica's report. It is invisible until `keep`.
   * @param limitBytes the limit of all files together, uncompressed.
   */
  begin(uid: string, service: string, limitBytes: number): Promise<ReportDraft>;
  /** Stores a replica's newest report as that of an earlier machine. */
  setAside(uid: string, service: string, as: { readonly service: string; readonly generation: number }): Promise<void>;
}

/** A report that is being written. */
export interface ReportDraft extends NewArchive {
  /** Publishes it as the replica's newest report, in place of the previous one. It must be finished. */
  keep(): Promise<void>;
  /** Stops writing and removes it. Idempotent; does nothing to a report that was kept. */
  discard(): Promise<void>;
}

/**
 * Folders on the launcher's own disk, for code that needs a path: programs that run on this computer, and drivers. The
 * user of a folder creates it.
 */
export interface LauncherFolders {
  /** The root of this installation's folders. Absolute, like the others. */
  readonly installation: string;
  /** The folder of a driver that needs real files. */
  driver(driver: string): string;
  /** The working directory of a run's programs with `where: launcher`. */
  launcher(uid: string): string;
}
