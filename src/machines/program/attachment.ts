/** Sends the file that follows a script. Replicas get the same file, so a small one is read only once. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Channel } from "../contract/connection.js";
import { StagingError } from "../contract/errors.js";

/** A file whose content never changes: a bundle is named after its content. */
export interface Attachment {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Files up to this many bytes are cached, and at most KEPT of them. */
const SMALL = 262_144;
const KEPT = 32;

const kept = new Map<string, Promise<Buffer>>();

/**
 * Sends a file and leaves the channel's input open. If the file is too short, it closes the input, so that the machine
 * does not wait for the rest.
 * @throws StagingError when the file cannot be read.
 */
export async function sendFile(channel: Channel, attachment: Attachment): Promise<void> {
  if (attachment.size > SMALL) return sendLarge(channel, attachment);
  const content = await contentOf(attachment.path);
  if (content.length < attachment.size) channel.stdin.end(content);
  else channel.stdin.write(content);
}

function contentOf(path: string): Promise<Buffer> {
  const known = kept.get(path);
  if (known !== undefined) return known;
  const content = readFile(path).catch((cause: unknown) => {
    kept.delete(path);
    throw unreadable(path, cause);
  });
  kept.set(path, content);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value as string);
  return content;
}

function sendLarge(channel: Channel, { path, size }: Attachment): Promise<void> {
  const file = createReadStream(path, { highWaterMark: SMALL });
  file.pipe(channel.stdin, { end: false });
  void channel.ended.then(() => file.destroy());
  return new Promise((resolve, reject) => {
    file.on("error", (cause) => {
      reject(unreadable(path, cause));
    });
    file.on("end", () => {
      if (file.bytesRead < size) channel.stdin.end();
      resolve();
    });
  });
}

function unreadable(path: string, cause: unknown): StagingError {
  return new StagingError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
