/** Reads the archives of reports. They were written by bootlevel, but may have been damaged since. */
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Extract, type Header } from "tar-stream";

import { StateError, isStateError } from "../../state/contract/errors.js";

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

export const ABOUT = "about.json";

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
    if (isStateError(error) || error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT")
      return null;
    throw error;
  }
}

/**
 * The files in an archive, in its order.
 * @param members gets them one by one: it has those before the damage when this throws.
 * @throws StateError for an archive that is damaged
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

/** The bytes of one file in an archive. Reading throws StateError if the archive is damaged. */
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

function damaged(path: string, cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).code === "ENOENT" || isStateError(cause)) return cause;
  return new StateError(
    `${path} cannot be read: ${(cause as Error).message}`,
    "collect the report again if the run still has its machines",
    { cause },
  );
}
