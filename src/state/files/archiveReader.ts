/** Reads the archives of reports. They were written by bootlevel, but may have been damaged since. */
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Extract, type Header } from "tar-stream";

import { FileError, isFileError } from "../contract/fileErrors.js";
import { ABOUT, type ArchiveMember, type ReportManifest } from "../contract/reportArchive.js";
import { cannotRead, isMissing } from "./fileErrors.js";

/** What an archive says of itself, or null for one that cannot be read. */
export async function readManifest(path: string): Promise<ReportManifest | null> {
  try {
    let text: string | null = null;
    await walk(path, async (header, content) => {
      if (header.name !== ABOUT) return "stop";
      text = (await bytesOf(content)).toString("utf8");
      return "stop";
    });
    return text === null ? null : (JSON.parse(text) as ReportManifest);
  } catch (error) {
    // Whoever asks takes a damaged archive, and one that is not there, for none.
    if (isFileError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * The files in an archive, in its order.
 * @param members gets them one by one: it has those before the damage when this throws.
 * @throws FileError for an archive that is damaged
 */
export async function listMembers(path: string, members: ArchiveMember[] = []): Promise<ArchiveMember[]> {
  await walk(path, async ({ name, type, size, mtime, linkname }) => {
    if (type === "directory") return "go on";
    const linkTo =
      type === "link"
        ? (linkname ?? null)
        : type === "symlink"
          ? posix.join(posix.dirname(name), linkname ?? "")
          : null;
    members.push({ file: name, bytes: size ?? 0, modifiedAt: mtime?.getTime() ?? 0, linkTo });
    return "go on";
  });
  return members;
}

/** The bytes of one file in an archive. Reading throws FileError if the archive is damaged. */
export function openMember(path: string, file: string): Readable {
  return Readable.from(contentOf(path, file));
}

async function* contentOf(path: string, file: string): AsyncGenerator<Buffer> {
  const { unpacking, piped } = unpack(path);
  try {
    for await (const member of unpacking) {
      if (member.header.name === file) {
        yield* member as AsyncIterable<Buffer>;
        return;
      }
      member.resume();
    }
  } catch (error) {
    throw damaged(path, error);
  } finally {
    unpacking.destroy(new Error("enough"));
    await piped;
  }
}

async function walk(
  path: string,
  visit: (header: Header, content: AsyncIterable<Buffer>) => Promise<"go on" | "stop">,
): Promise<void> {
  const { unpacking, piped } = unpack(path);
  try {
    for await (const member of unpacking) {
      if ((await visit(member.header, member as AsyncIterable<Buffer>)) === "stop") return;
      member.resume();
    }
    const cause = await piped;
    if (cause !== null) throw cause;
  } catch (error) {
    throw damaged(path, error);
  } finally {
    unpacking.destroy(new Error("enough"));
    await piped;
  }
}

function unpack(path: string): { readonly unpacking: Extract; readonly piped: Promise<Error | null> } {
  const unpacking = extract();
  const piped = pipeline(createReadStream(path), createGunzip(), unpacking as unknown as NodeJS.WritableStream).then(
    () => null,
    (error: unknown) => error as Error,
  );
  return { unpacking, piped };
}

async function bytesOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function damaged(path: string, cause: unknown): FileError {
  if (isFileError(cause)) return cause;
  if (isMissing(cause)) return cannotRead(path, cause);
  return new FileError(
    `${path} cannot be read: ${(cause as Error).message}`,
    "collect the report again if the run still has its machines",
    { cause },
  );
}
