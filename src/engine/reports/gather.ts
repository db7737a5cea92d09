/** Puts together what a service leaves behind: what it says of itself, its logs, and what its machines send. */
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
  /** It is empty, and is closed when this ends. */
  readonly archive: NewArchive;
  /** Tells whose logs belong here, too. */
  readonly about: ReportManifest;
  readonly logs: LogFiles;
  readonly fetches: readonly { readonly connection: MachineConnection; readonly request: FetchRequest }[];
  readonly signal: AbortSignal;
}

export interface Gathered {
  readonly files: number;
  readonly bytes: number;
  /** What is not in it, and why: for people. */
  readonly leftOut: readonly string[];
  /** What kept it from being whole, or null; `lost` when a connection broke, so that another try may bring more. */
  readonly problem: { readonly message: string; readonly lost: boolean } | null;
  /** What is to be told that its files are kept. */
  readonly fetched: readonly Fetched[];
}

/**
 * Writes the archive. What machines do not send is told in the result. @throws ArchiveError when it cannot be written.
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
    ...idle.map((name) => `${name} is a link to what is not in the report`),
    ...archive.brokenOff.map((name) => `${name} broke off, and ends in zeros`),
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

/** Logs were redacted as they came. */
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
  // What two patterns match is there once.
  if (plain && name !== null && name !== "" && !archive.has(name))
    return archive.addFile(member, header.size ?? 0, content);
  await drain(content);
  if (name === null) leftOut.push(`${machineName(origin, header.name)} leads out of the report`);
  else if (name === "" || plain) return;
  else if (header.type === "directory") archive.addDirectory(member);
  else if (header.type === "symlink" || header.type === "link") takeLink(archive, leftOut, origin, name, header);
  else leftOut.push(`${machineName(origin, header.name)} is no plain file`);
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
    leftOut.push(`${machineName(origin, written)} is a link that leads out of the report`);
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
      return `${name} is a link to nothing`;
    case "special":
      return `${name} is no plain file`;
    case "unreadable":
      return `${name} cannot be read by the machine's user (sudo: true reads it as root)`;
    case "base":
      return "the boot program's directory, where relative patterns begin, is not there";
    case "tar":
      return words === "" ? `the machine's tar failed on ${name}` : words;
  }
}
