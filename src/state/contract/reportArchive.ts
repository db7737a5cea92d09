/** The content of a report's archive, and the interface for writing one, independent of its storage. */
import type { SparseContent } from "../../files/sparseMap.js";

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
  /** What was collected; missing while the archive is written. */
  readonly content?: ReportContent;
}

/** The content of a report, as its manifest describes it. */
export interface ReportContent {
  /** Whether everything came: the report program passed, and the machine sent all its files. */
  readonly complete: boolean;
  /** The number of files, and their bytes before compression. */
  readonly files: number;
  readonly bytes: number;
  /** Files that a limit cut off or left out. */
  readonly cut: readonly CutFile[];
  /** What else is missing, and why, for people. */
  readonly missing: readonly string[];
}

/** A file of which a limit kept only a part, or nothing. */
export interface CutFile {
  /** Its path in the archive. */
  readonly file: string;
  /** Its bytes on the machine, and how many of them (from its beginning) are in the archive. */
  readonly bytes: number;
  readonly kept: number;
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
  /** How many more bytes of files fit. */
  readonly room: number;
  has(name: string): boolean;
  /**
   * Sets the manifest. Called before everything else, it becomes the first member. Called again, it replaces that one
   * when the archive is finished. Lists that are too long for it are shortened.
   */
  describe(manifest: ReportManifest): void;
  /** @throws LimitError */
  addDirectory(member: NewMember): void;
  /**
   * Adds a file of `size` bytes. If its content breaks off, zeros replace the rest.
   * @throws LimitError; ArchiveError if the archive cannot be written; and the errors of reading the content.
   */
  addFile(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void>;
  /** Like `addFile`, for a file with holes. `sizes`: its bytes in the archive with its map, and with its holes. */
  addSparse(
    member: NewMember,
    sizes: { readonly packed: number; readonly real: number },
    content: SparseContent,
  ): Promise<void>;
  /** Like `addFile`, for a log: it does not count towards the limit. */
  addLog(member: NewMember, size: number, content: AsyncIterable<Buffer>): Promise<void>;
  addText(name: string, text: string, mtime: Date): Promise<void>;
  /**
   * Adds a link. Links are written last, so that no file of the archive can be unpacked through one.
   * @throws LimitError
   */
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
