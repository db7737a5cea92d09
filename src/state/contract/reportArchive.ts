/** The content of a report's archive, and the interface for writing one, independent of its storage. */

export interface ArchiveMember {
  /** Its path in the archive: `report/…`, `files/…`, `logs/…`. */
  readonly file: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
  /** The target's path in the archive, for a link. */
  readonly linkTo: string | null;
}

/** The manifest of an archive: its first member. */
export interface ReportManifest {
  readonly run: string;
  readonly uid: string;
  readonly plan: string;
  readonly service: string;
  readonly level: string;
  /** The machine that the report is from. Null for an existing host. */
  readonly machine: {
    readonly key: string;
    readonly generation: number;
    readonly cloud: string;
    readonly id: string | null;
    readonly host: string | null;
  } | null;
  /** Milliseconds since the epoch. */
  readonly collectedAt: number;
}

/** The name of that member. */
export const ABOUT = "about.json";

export interface NewMember {
  /** Its path in the archive. */
  readonly name: string;
  readonly mode: number;
  readonly mtime: Date;
}

export interface NewLink {
  readonly name: string;
  /** The name to show to people. */
  readonly label: string;
  /** A path in the archive. */
  readonly target: string;
  /** The target as written in a symbolic link. Null for a hard link. */
  readonly written: string | null;
  readonly mtime: Date;
}

/** An archive that is being written. It stays well-formed, even if a file's content breaks off. */
export interface NewArchive {
  /** The number of files in it, and their total bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files whose content was incomplete. Zeros replace the rest. */
  readonly brokenOff: readonly string[];
  has(name: string): boolean;
  addDirectory(member: NewMember): void;
  /**
   * Adds a file of `size` bytes. If its content breaks off, zeros replace the rest.
   * @throws LimitError; ArchiveError if the archive cannot be written; and the errors of reading the content.
   */
  addFile(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void>;
  addText(name: string, text: string, mtime: Date): Promise<void>;
  /** Adds a link. Links are written last, so that no file of the archive can be unpacked through one. */
  addLink(link: NewLink): void;
  /**
   * Writes the links whose target is in the archive, and closes it.
   * @returns the labels of the other links.
   * @throws ArchiveError
   */
  finish(): Promise<string[]>;
  /** Stops writing. */
  abandon(): Promise<void>;
}
