/** Writes a service's report: its manifest, its logs, and the files from its machines. */
import type { Header } from "tar-stream";

import { isConnectionLostError, type MachineConnection } from "../../machines/contract/connection.js";
import { fetchFiles, type Fetched } from "../../machines/files/fetchFiles.js";
import type { FetchNote } from "../../machines/files/fetchNotes.js";
import type { FetchRequest, PathBase } from "../../machines/files/fetchScript.js";
import { isArchiveError, isLimitError } from "../../state/contract/fileErrors.js";
import type { LogFiles } from "../../state/contract/files.js";
import { ABOUT, type NewArchive, type ReportManifest } from "../../state/contract/reportArchive.js";
import { linkTarget, machineName, memberName } from "./memberNames.js";

export interface GatherParts {
  /** An empty archive. It is closed at the end. */
  readonly archive: NewArchive;
  /** The manifest. It also says whose logs to include. */
  readonly about: ReportManifest;
  readonly logs: LogFiles;
  readonly fetches: readonly { readonly connection: MachineConnection; readonly request: FetchRequest }[];
  readonly signal: AbortSignal;
}

export interface Gathered {
  readonly files: number;
  readonly bytes: number;
  /** The files that are missing, and why, for people. */
  readonly leftOut: readonly string[];
  /** Why it is incomplete, or null. `lost`: a connection broke, so a retry may get more. */
  readonly problem: { readonly message: string; readonly lost: boolean } | null;
  /** The fetches to dismiss after the archive is kept. */
  readonly fetched: readonly Fetched[];
}

/**
 * Writes the archive. Files that machines do not send are named in the result.
 * @throws ArchiveError when it cannot be written.
 */
export async function gather(parts: GatherParts): Promise<Gathered> {
  const { archive, about } = parts;
  const leftOut: string[] = [];
  const fetched: Fetched[] = [];
  let problem: Gathered["problem"] = null;
  try {
    await archive.addText(ABOUT, `${JSON.stringify(about, null, 2)}\n`, new Date(about.collectedAt));
    await addLogs(archive, parts.logs, about);
    for (const { connection, request } of parts.fetches) {
      const one = await fetchFiles(connection, request, {
        signal: parts.signal,
        onMember: (origin, header, content) => take(archive, leftOut, origin, header, content),
      });
      fetched.push(one);
      leftOut.push(...one.notes.map(noteWords));
    }
  } catch (error) {
    if (isArchiveError(error)) {
      await archive.abandon();
      throw error;
    }
    problem = problemOf(error as Error);
  }
  const idle = await archive.finish();
  leftOut.push(
    ...idle.map((name) => `${name} is a link to a file that is not in the report`),
    ...archive.brokenOff.map((name) => `${name} was cut off, and is padded with zeros`),
  );
  return { files: archive.files, bytes: archive.bytes, leftOut, problem, fetched };
}

function problemOf(error: Error): Gathered["problem"] {
  if (!isLimitError(error)) return { message: error.message, lost: isConnectionLostError(error) };
  const limit = `${Math.round(error.limitBytes / 1_048_576)} MiB`;
  return {
    message: `it was cut off before ${error.member}: a report holds at most ${limit}, before it is compressed; name less in its patterns, or let its program choose`,
    lost: false,
  };
}

/** Adds the logs. They are already redacted. */
async function addLogs(archive: NewArchive, logs: LogFiles, { uid, service }: ReportManifest): Promise<void> {
  for (const log of await logs.list(uid, service)) {
    const { step, bytes, modifiedAt } = log;
    if (bytes === 0) continue;
    const member = { name: `logs/${step}.log`, mode: 0o600, mtime: new Date(modifiedAt) };
    await archive.addFile(member, bytes, logs.read(uid, log, { from: 0, to: bytes }));
  }
}

async function take(
  archive: NewArchive,
  leftOut: string[],
  origin: PathBase,
  header: Header,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const name = memberName(origin, header.name);
  const member = { name: name ?? "", mode: header.mode ?? 0o600, mtime: header.mtime ?? new Date(0) };
  const plain = header.type === "file" || header.type === "contiguous-file";
  // A file that two patterns match is included once.
  if (plain && name !== null && name !== "" && !archive.has(name))
    return archive.addFile(member, header.size ?? 0, content);
  await drain(content);
  if (name === null) leftOut.push(`${machineName(origin, header.name)} points outside the report`);
  else if (name === "" || plain) return;
  else if (header.type === "directory") archive.addDirectory(member);
  else if (header.type === "symlink" || header.type === "link") takeLink(archive, leftOut, origin, name, header);
  else leftOut.push(`${machineName(origin, header.name)} is not a regular file`);
}

function takeLink(
  archive: NewArchive,
  leftOut: string[],
  origin: PathBase,
  name: string,
  { name: written, type, linkname, mtime }: Header,
): void {
  const target = type === "symlink" ? linkTarget(name, linkname ?? "") : memberName(origin, linkname ?? "");
  if (target === null || target === "")
    leftOut.push(`${machineName(origin, written)} is a link that points outside the report`);
  else
    archive.addLink({
      name,
      label: machineName(origin, written),
      target,
      written: type === "symlink" ? (linkname ?? "") : null,
      mtime: mtime ?? new Date(0),
    });
}

async function drain(content: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of content) void chunk;
}

function noteWords({ reason, name, words }: FetchNote): string {
  switch (reason) {
    case "none":
      return `nothing matches ${name}`;
    case "dangling":
      return `${name} is a broken link`;
    case "special":
      return `${name} is not a regular file`;
    case "unreadable":
      return `${name} cannot be read by the machine's user (sudo: true reads it as root)`;
    case "base":
      return "the boot program's directory, where relative patterns begin, does not exist";
    case "tar":
      return words === "" ? `the machine's tar failed on ${name}` : words;
  }
}
