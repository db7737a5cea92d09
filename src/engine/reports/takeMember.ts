/** Puts the files that a machine sends into an archive, as far as the report's limits allow. */
import type { TarHeader } from "../../machines/files/tarHeader.js";
import type { PathBase } from "../../machines/files/fetchScript.js";
import { readSparse, SparseMapError } from "../../files/sparseMap.js";
import type { CutFile, NewArchive, NewMember } from "../../state/contract/reportArchive.js";
import { linkTarget, machineName, memberName } from "./memberNames.js";

/** The most entries of each list of what is missing. The rest is counted. */
const MOST_LISTED = 1_000;
/** The longest path of a machine's file, in characters. */
const LONGEST_NAME = 4_096;

/** What is missing in a report. Each list is short, whatever a machine sends. */
export class Missing {
  readonly cut: CutFile[] = [];
  /** Left out on purpose, such as devices. */
  readonly leftOut: string[] = [];
  /** How many of each are not in the lists. */
  readonly more = { cut: 0, leftOut: 0 };

  addCut(file: CutFile): void {
    if (this.cut.length < MOST_LISTED) this.cut.push(file);
    else this.more.cut += 1;
  }

  addLeftOut(...texts: readonly string[]): void {
    for (const text of texts)
      if (this.leftOut.length < MOST_LISTED) this.leftOut.push(text);
      else this.more.leftOut += 1;
  }
}

export interface TakeOptions {
  readonly archive: NewArchive;
  readonly missing: Missing;
  /** The maximum size of one file, in bytes. */
  readonly fileLimitBytes: number;
}

/** Takes one member. @throws the errors of reading `content`, ArchiveError, LimitError for too many members. */
export async function takeMember(
  options: TakeOptions,
  origin: PathBase,
  header: TarHeader,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const { archive, missing } = options;
  if (header.name.length > LONGEST_NAME)
    return missing.addLeftOut(`a file with a path of ${header.name.length} characters was left out`);
  const name = memberName(origin, header.name);
  if (name === null) return missing.addLeftOut(`${machineName(origin, header.name)} points outside the report`);
  // A file that two patterns match is included once.
  if (name === "" || archive.has(name)) return;
  const member = { name, mode: header.mode, mtime: header.mtime };
  switch (header.type) {
    case "file":
      return takeFile(options, member, header, content);
    case "directory":
      return archive.addDirectory(member);
    case "symlink":
    case "link":
      return takeLink(options, origin, name, header);
    case "other":
      missing.addLeftOut(`${machineName(origin, header.name)} is not a regular file`);
  }
}

async function takeFile(
  options: TakeOptions,
  member: NewMember,
  header: TarHeader,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const { archive, missing, fileLimitBytes } = options;
  if (header.sparseSize !== null) return takeSparse(options, member, header.size, header.sparseSize, content);
  const kept = Math.min(header.size, fileLimitBytes);
  if (kept > archive.room) return missing.addCut({ file: member.name, bytes: header.size, kept: 0 });
  await archive.addFile(member, kept, content);
  if (kept < header.size) missing.addCut({ file: member.name, bytes: header.size, kept });
}

/** A file with holes counts by its data. Its parts belong together, so it is never cut off in the middle. */
async function takeSparse(
  { archive, missing, fileLimitBytes }: TakeOptions,
  member: NewMember,
  packed: number,
  real: number,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  if (packed > fileLimitBytes || packed > archive.room)
    return missing.addCut({ file: member.name, bytes: real, kept: 0 });
  try {
    const sparse = await readSparse(content, { packed, real });
    await archive.addSparse(member, { packed, real }, sparse);
  } catch (error) {
    if (!(error instanceof SparseMapError)) throw error;
    missing.addCut({ file: member.name, bytes: real, kept: 0 });
  }
}

function takeLink(
  { archive, missing }: TakeOptions,
  origin: PathBase,
  name: string,
  { name: written, type, linkname, mtime }: TarHeader,
): void {
  const target =
    linkname.length > LONGEST_NAME
      ? null
      : type === "symlink"
        ? linkTarget(name, linkname)
        : memberName(origin, linkname);
  if (target === null || target === "")
    return missing.addLeftOut(`${machineName(origin, written)} is a link that points outside the report`);
  archive.addLink({
    name,
    label: machineName(origin, written),
    target,
    written: type === "symlink" ? linkname : null,
    mtime,
  });
}
