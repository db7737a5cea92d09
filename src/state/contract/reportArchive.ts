/** What the archive of a report holds, and how it is filled: an interface, whoever writes it and wherever to. */

export interface ArchiveMember {
  /** Its path in the archive: `report/…`, `files/…`, `logs/…`. */
  readonly file: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
  /** Of a link, the path in the archive that it leads to. */
  readonly linkTo: string | null;
}

/** What an archive says of itself, in its first member. */
export interface ReportManifest {
  readonly run: string;
  readonly uid: string;
  readonly plan: string;
  readonly service: string;
  readonly level: string;
  /** The machine that it is of; null for a host that was there before. */
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
  /** What people are told of it. */
  readonly label: string;
  /** A path in the archive. */
  readonly target: string;
  /** What a symbolic link says; null for a hard link. */
  readonly written: string | null;
  readonly mtime: Date;
}

/** An archive that is being written. It stays well-formed, whatever breaks off on the way. */
export interface NewArchive {
  /** How many files it holds, and how many bytes they have. */
  readonly files: number;
  readonly bytes: number;
  /** Files of which not all came; zeros stand for the rest. */
  readonly brokenOff: readonly string[];
  has(name: string): boolean;
  addDirectory(member: NewMember): void;
  /**
   * Adds a file of `size` bytes. One whose content breaks off is filled up with zeros.
   * @throws LimitError, ArchiveError when the archive cannot be written, and what reading the content throws.
   */
  addFile(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void>;
  addText(name: string, text: string, mtime: Date): Promise<void>;
  /** Remembers a link, which is written at the end: so no file of the archive can ever be unpacked through one. */
  addLink(link: NewLink): void;
  /**
   * Writes the links that lead to something in the archive, and closes it. @returns the labels of those that do not.
   * @throws ArchiveError
   */
  finish(): Promise<string[]>;
  /** Stops writing. */
  abandon(): Promise<void>;
}
