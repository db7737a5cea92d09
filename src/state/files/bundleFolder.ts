/** Bundles as `<sha256>.tar` in one folder. */
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";

import { FileError } from "../contract/fileErrors.js";
import type { BundleContent, BundleFiles } from "../contract/files.js";
import { cannotRead, cannotWrite, fileIn, isMissing } from "./fileErrors.js";

/** How much is read at once, in bytes. */
const READ_BYTES = 262_144;
const LOST =
  "pack the programs again from the run's plan: bootlevel reload, then repair; or restore the file from a copy";

/** @param root what there must be room in, for messages. */
export function bundleFolder(folder: string, root: string): BundleFiles {
  const path = ({ sha256 }: Pick<BundleContent, "sha256">) => fileIn(folder, `${sha256}.tar`);
  return {
    async put(content) {
      const draft = fileIn(folder, `.${randomUUID()}.tar`);
      try {
        await writing(draft, root, () => mkdir(folder, { recursive: true, mode: 0o700 }));
        const written = await writeDraft(draft, root, content);
        // One that is there already has the same content, unless a disk has spoilt it: then this mends it.
        await writing(path(written), root, () => rename(draft, path(written)));
        return written;
      } finally {
        await rm(draft, { force: true }).catch((error: unknown) => {
          throw cannotWrite(draft, root, error);
        });
      }
    },
    open: (bundle) => openWhole(path(bundle), bundle),
  };
}

async function writeDraft(path: string, root: string, content: AsyncIterable<Buffer>): Promise<BundleContent> {
  const file = createWriteStream(path, { mode: 0o600, flags: "wx" });
  const closed = finished(file);
  // It is waited for below; whoever is still reading must not make it an unhandled one.
  closed.catch(() => undefined);
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      if (!file.write(chunk)) await writing(path, root, () => Promise.race([once(file, "drain"), closed]));
    }
    file.end();
    await writing(path, root, () => closed);
  } finally {
    file.destroy();
  }
  return { sha256: hash.digest("hex"), size };
}

async function openWhole(path: string, { size }: BundleContent): Promise<Readable> {
  const file = await open(path).catch((error: unknown) => {
    throw isMissing(error)
      ? new FileError(`the bundle ${path} is missing`, LOST, { cause: error })
      : cannotRead(path, error);
  });
  const { size: found } = await file.stat();
  if (found === size) return file.createReadStream({ highWaterMark: READ_BYTES });
  await file.close();
  throw new FileError(`the bundle ${path} has ${found} bytes instead of ${size}`, LOST);
}

async function writing<T>(path: string, root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, root, error);
  }
}
