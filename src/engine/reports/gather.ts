/** Writes a service's report: its manifest, the files from its machines, and its logs. */
import { isConnectionLostError, type MachineConnection } from "../../machines/contract/connection.js";
import { fetchFiles, isFetchLimitError, type Fetched } from "../../machines/files/fetchFiles.js";
import type { FetchNote } from "../../machines/files/fetchNotes.js";
import type { FetchRequest } from "../../machines/files/fetchScript.js";
import { isArchiveError, isLimitError, type LimitError } from "../../state/contract/fileErrors.js";
import type { LogFiles } from "../../state/contract/files.js";
import type { CutFile, NewArchive, ReportManifest } from "../../state/contract/reportArchive.js";
import { Missing, takeMember } from "./takeMember.js";

export interface GatherParts {
  /** An empty archive. It is closed at the end. */
  readonly archive: NewArchive;
  /** The manifest. It also says whose logs to include. */
  readonly about: ReportManifest;
  readonly logs: LogFiles;
  readonly fetches: readonly { readonly connection: MachineConnection; readonly request: FetchRequest }[];
  /** The maximum size of one file of the machine, in bytes, and of all together. */
  readonly limits: { readonly fileBytes: number; readonly bytes: number };
  /** Problems from before, for people: the report is then incomplete. */
  readonly problems?: readonly string[];
  /** Removes secrets from what is written about the report. */
  readonly redact: (text: string) => string;
  readonly signal: AbortSignal;
}

export interface Gathered {
  readonly files: number;
  readonly bytes: number;
  /** Files that are missing for good reasons, such as devices, for people. */
  readonly leftOut: readonly string[];
  /** Files that a limit cut off or left out, and how many more there are. */
  readonly cut: readonly CutFile[];
  readonly moreCut: number;
  /** Why other files are missing, or null. `lost`: a connection broke, so a retry may get more. */
  readonly problem: { readonly message: string; readonly lost: boolean } | null;
  /** The fetches to dismiss after the archive is kept. */
  readonly fetched: readonly Fetched[];
}

/**
 * Writes the archive. Files that machines do not send are named in the result.
 * @throws ArchiveError when it cannot be written.
 */
export async function gather(parts: GatherParts): Promise<Gathered> {
  const { archive, about, redact } = parts;
  const missing = new Missing();
  try {
    archive.describe(about);
    const { fetched, problem } = await fetchAll(parts, missing);
    await addLogs(archive, parts.logs, about);
    const content = {
      complete: (parts.problems ?? []).length === 0 && problem === null && missing.cut.length === 0,
      files: archive.files,
      bytes: archive.bytes,
      cut: missing.cut.map((one) => ({ ...one, file: redact(one.file) })),
      missing: [...(parts.problems ?? []), ...(problem === null ? [] : [problem.message]), ...missing.leftOut].map(
        redact,
      ),
    };
    archive.describe({ ...about, content });
    const idle = await archive.finish();
    missing.addLeftOut(...idle.map((name) => `${name} is a link to a file that is not in the report`));
    missing.addLeftOut(...archive.brokenOff.map((name) => `${name} was cut off, and is padded with zeros`));
    if (missing.more.leftOut > 0) missing.leftOut.push(`${missing.more.leftOut} more files were left out`);
    return {
      files: archive.files,
      bytes: archive.bytes,
      leftOut: missing.leftOut,
      cut: missing.cut,
      moreCut: missing.more.cut,
      problem,
      fetched,
    };
  } catch (error) {
    await archive.abandon();
    throw error;
  }
}

/** Fetches the files of all machines, up to the first problem. @throws ArchiveError */
async function fetchAll(
  { archive, fetches, limits, signal }: GatherParts,
  missing: Missing,
): Promise<Pick<Gathered, "fetched" | "problem">> {
  const fetched: Fetched[] = [];
  const damages: string[] = [];
  try {
    for (const { connection, request } of fetches) {
      const one = await fetchFiles(connection, request, {
        signal,
        // What is passed over travels too.
        limitBytes: 2 * limits.bytes + OVERHEAD_BYTES,
        onMember: (origin, header, content) =>
          takeMember({ archive, missing, fileLimitBytes: limits.fileBytes }, origin, header, content),
        onDamage: (reason) => {
          if (damages.length < MOST_DAMAGES) damages.push(reason);
        },
      });
      fetched.push(one);
      missing.addLeftOut(...one.notes.map(noteWords));
    }
  } catch (error) {
    if (isArchiveError(error)) throw error;
    return { fetched, problem: problemOf(error as Error) };
  }
  const problem =
    damages.length === 0
      ? null
      : { message: `the machine sent a damaged tar archive: ${[...new Set(damages)].join("; ")}`, lost: false };
  return { fetched, problem };
}

/** Bytes of tar headers and of what tar adds. */
const OVERHEAD_BYTES = 67_108_864;
const MOST_DAMAGES = 8;

function problemOf(error: Error): Gathered["problem"] {
  const remedy = "name less in its patterns, or let its program choose";
  if (isLimitError(error))
    return { message: `it was cut off before ${error.member}: ${limitWords(error)}; ${remedy}`, lost: false };
  if (isFetchLimitError(error)) return { message: `${error.message}; ${remedy}`, lost: false };
  return { message: error.message, lost: isConnectionLostError(error) };
}

function limitWords({ kind, limit }: LimitError): string {
  switch (kind) {
    case "bytes":
      return `a report holds at most ${Math.round(limit / 1_048_576)} MiB, before it is compressed`;
    case "members":
      return `a report holds at most ${limit} files`;
    case "names":
      return `the names of a report's files have at most ${Math.round(limit / 1_048_576)} MiB`;
  }
}

/** Adds the logs. They are already redacted, and have limits of their own. */
async function addLogs(archive: NewArchive, logs: LogFiles, { uid, service }: ReportManifest): Promise<void> {
  for (const log of await logs.list(uid, service)) {
    const { step, bytes, modifiedAt } = log;
    if (bytes === 0) continue;
    const member = { name: `logs/${step}.log`, mode: 0o600, mtime: new Date(modifiedAt) };
    await archive.addLog(member, bytes, logs.read(uid, log, { from: 0, to: bytes }));
  }
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
