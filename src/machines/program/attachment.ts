/** The file that follows a script. Replicas get the same one, so a small one is read once for all of them. */
import { buffer } from "node:stream/consumers";
import type { Readable } from "node:stream";
import type { Channel } from "../contract/connection.js";
import { StagingError } from "../contract/errors.js";

/** Content that never changes: a bundle is named after it. */
export interface Attachment {
  /** Of the content: equal ones are read once. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  open(): Promise<Readable>;
}

/** Up to this many bytes a file is kept in memory, and so many files at most. */
const SMALL = 262_144;
const KEPT = 32;

const kept = new Map<string, Promise<Buffer>>();

/**
 * Sends a file and leaves the channel's input open. A file that is too short closes it, so that nobody waits for the
 * rest. Throws `StagingError`.
 */
export async function sendFile(channel: Channel, attachment: Attachment): Promise<void> {
  if (attachment.size > SMALL) return sendLarge(channel, attachment);
  const content = await contentOf(attachment);
  if (content.length < attachment.size) channel.stdin.end(content);
  else channel.stdin.write(content);
}

function contentOf(attachment: Attachment): Promise<Buffer> {
  const { sha256 } = attachment;
  const known = kept.get(sha256);
  if (known !== undefined) return known;
  const content = attachment
    .open()
    .then(buffer)
    .catch((cause: unknown) => {
      kept.delete(sha256);
      throw unreadable(cause);
    });
  kept.set(sha256, content);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value as string);
  return content;
}

async function sendLarge(channel: Channel, attachment: Attachment): Promise<void> {
  const file = await attachment.open().catch((cause: unknown) => {
    throw unreadable(cause);
  });
  let read = 0;
  file.on("data", (chunk: Buffer) => (read += chunk.length));
  file.pipe(channel.stdin, { end: false });
  void channel.ended.then(() => file.destroy());
  return new Promise((resolve, reject) => {
    file.on("error", (cause) => {
      reject(unreadable(cause));
    });
    file.on("end", () => {
      if (read < attachment.size) channel.stdin.end();
      resolve();
    });
  });
}

function unreadable(cause: unknown): StagingError {
  const { message, remedy } = cause as Error & { readonly remedy?: unknown };
  const help = typeof remedy === "string" && remedy !== "" ? `; ${remedy}` : "";
  return new StagingError(`cannot send the program: ${message}${help}`, { cause });
}
