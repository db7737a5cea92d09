/** Reads the archives of reports. They were written by bootlevel, but may have been damaged since. */
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Extract, type Header } from "tar-stream";

import { expand, readSparse } from "../../files/sparseMap.js";
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
  await walk(path, async (header) => {
    const { name, type, mtime, linkname } = header;
    if (type === "directory") return "go on";
    const sparse = sparseOf(header);
    const linkTo =
      type === "link"
        ? (linkname ?? null)
        : type === "symlink"
          ? posix.join(posix.dirname(name), linkname ?? "")
          : null;
    const bytes = sparse?.real ?? header.size ?? 0;
    members.push({ file: sparse?.name ?? name, bytes, modifiedAt: mtime?.getTime() ?? 0, linkTo });
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
      const sparse = sparseOf(member.header);
      if ((sparse?.name ?? member.header.name) === file) {
        const content = member as AsyncIterable<Buffer>;
        if (sparse === null) yield* content;
        else yield* expand(await readSparse(content, sparse), sparse.real);
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

/** A file with holes, by its own name and sizes; null for another member. */
function sparseOf({
  pax,
  size,
}: Header): { readonly name: string; readonly packed: number; readonly real: number } | null {
  const records = (pax ?? {}) as Readonly<Record<string, string>>;
  const name = records["GNU.sparse.name"];
  if (name === undefined) return null;
  return { name, packed: size ?? 0, real: Number(records["GNU.sparse.realsize"]) };
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
