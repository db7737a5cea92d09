/**
 * What a run keeps as files: its programs, the logs of its steps, its reports. Only an implementation knows where they
 * lie; everybody else names a bundle by its hash, a log by its service and step, a report by its replica. `uid` is the
 * run's unique id.
 *
 * All of it throws `FileError` for a file that cannot be read or written.
 */
import type { Readable } from "node:stream";

import type { NewArchive, ArchiveMember, ReportManifest } from "./reportArchive.js";

export interface RunFiles {
  readonly bundles: BundleFiles;
  readonly logs: LogFiles;
  readonly reports: ReportFiles;
}

/** What is known of a bundle's content. */
export interface BundleContent {
  /** Of the content, in hexadecimal: the bundle's name. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** Programs, packed. Several runs share one of the same content; nothing changes it. */
export interface BundleFiles {
  /**
   * Keeps a bundle, whole or not at all; equal content is kept once, whoever puts it, and at the same time.
   * @throws FileError, and whatever reading `content` throws, as it is.
   */
  put(content: AsyncIterable<Buffer>): Promise<BundleContent>;
  /** Opens a bundle to be read from its beginning. @throws FileError for one that is gone, or has another size. */
  open(bundle: BundleContent): Promise<Readable>;
}

/** Which log of a run. */
export interface LogName {
  /** The replica. */
  readonly service: string;
  readonly step: string;
}

export interface StoredLog extends LogName {
  /** Where people find it: on a disk, its absolute path. */
  readonly location: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

export interface FollowOptions {
  /** Which of the run's logs are followed, in which order; asked anew each time, for logs and services are added. */
  readonly choose: (logs: readonly StoredLog[]) => Promise<readonly StoredLog[]>;
  /** Whether anything can be added; asked before the logs are looked at, so that the last words are not missed. */
  readonly goesOn: () => Promise<boolean>;
}

/** One log a service and step: all attempts in one, the newest last. Secrets are taken out before text comes here. */
export interface LogFiles {
  /** Where people find a log, whether it was begun or not. */
  location(uid: string, log: LogName): string;
  /** The logs of a run that were begun, by service and step; of one replica alone, if it is given. */
  list(uid: string, service?: string): Promise<StoredLog[]>;
  /** Opens a log to add to it; begins it, if need be. */
  open(uid: string, log: LogName): Promise<LogWriter>;
  /** The bytes of a log from offset `from` up to and without offset `to`. */
  read(uid: string, log: LogName, range: { readonly from: number; readonly to: number }): AsyncIterable<Buffer>;
  /** The text of logs, then what is added, while `goesOn`. The text of one log comes in order. */
  follow(uid: string, options: FollowOptions): AsyncGenerator<StoredLog & { readonly text: string }>;
  /**
   * Lets logs follow their services to other names, which may be exchanged. A log that has the new name already is
   * continued.
   */
  rename(uid: string, renames: readonly { readonly from: string; readonly to: string }[]): Promise<void>;
}

export interface LogWriter {
  /**
   * Hands text over, which is kept in this order.
   * @throws FileError as soon as it is known that it cannot be kept; where that is known later, `close` throws it.
   */
  append(text: string): void;
  /** Ends when all text is kept. */
  close(): Promise<void>;
}

/** Which report: `web-2`, or `web-2.1` for that of the replica's first machine, which was replaced. */
export interface StoredReport {
  readonly archive: string;
  /** The replica. */
  readonly service: string;
  /** Of an earlier machine, its number; null for the newest report. */
  readonly generation: number | null;
  /** Where people find it: on a disk, its absolute path. */
  readonly location: string;
  readonly bytes: number;
}

/** Reports: one archive (.tar.gz) a replica, and one for each earlier machine of it. */
export interface ReportFiles {
  /** Where people find a replica's newest report, whether there is one or not. */
  location(uid: string, service: string): string;
  /** The reports of a run, by replica, the newest of each first. */
  list(uid: string): Promise<StoredReport[]>;
  /** What an archive says of itself; null for one that is damaged or not there. */
  manifest(uid: string, archive: string): Promise<ReportManifest | null>;
  /**
   * The files in an archive, in its order.
   * @param members gets them one by one: it has those before the damage when this throws.
   * @throws FileError for an archive that is damaged
   */
  members(uid: string, archive: string, members?: ArchiveMember[]): Promise<ArchiveMember[]>;
  /** The bytes of one file in an archive. Reading throws FileError if the archive is damaged. */
  openMember(uid: string, archive: string, file: string): Readable;
  /** The archive as it is, for copying. */
  open(uid: string, archive: string): Promise<Readable>;
  /**
   * Makes ready for a replica's report, and removes what a launcher that died has left of one. The caller holds the
   * run's lease: nobody else writes there.
   */
  prepare(uid: string, service: string): Promise<void>;
  /**
   * Begins a replica's report. Nobody sees it before it is kept.
   * @param limitBytes of all files together, before they are compressed.
   */
  begin(uid: string, service: string, limitBytes: number): Promise<ReportDraft>;
  /** Keeps a replica's newest report as that of an earlier machine. */
  setAside(uid: string, service: string, as: { readonly service: string; readonly generation: number }): Promise<void>;
}

/** A report that is being written. */
export interface ReportDraft extends NewArchive {
  /** Makes it the replica's newest report, in place of the one before. It must be finished. */
  keep(): Promise<void>;
  /** Stops writing and removes it. Safe to repeat; does nothing to one that was kept. */
  discard(): Promise<void>;
}

/**
 * Folders on the launcher's own disk, for what needs a path there: programs that run on this computer, and drivers.
 * Whoever uses one makes it.
 */
export interface LauncherFolders {
  /** Where this installation's folders lie. Absolute, as the others. */
  readonly installation: string;
  /** Of a driver that needs real files. */
  driver(driver: string): string;
  /** Where programs of a run with `where: launcher` work. */
  launcher(uid: string): string;
}
