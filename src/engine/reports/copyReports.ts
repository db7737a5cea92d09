/**
 * Copies archives to a folder or a bucket. An existing file with the same name and different content stays, unless
 * overwriting is allowed.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import type { RunRecord } from "../../state/contract/records.js";
import type { Environment } from "../../model/environment.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { chooseArchives } from "./readReports.js";
import { OccupiedError, type CopyOptions, type Destination } from "./destination.js";

/** The result for one archive. */
export interface CopiedReport {
  readonly report: string;
  /** The copy's location: an absolute path, or `s3://bucket/key`. */
  readonly to: string;
  /** "there": the same bytes already existed. "failed": `message` says why; the destination is unchanged. */
  readonly outcome: "copied" | "there" | "failed";
  readonly message: string;
}

/**
 * Copies archives one after the other. Failures are in the result.
 * @throws StateError for an invalid destination
 */
export async function copyReports(store: Store, run: RunRecord, options: CopyOptions): Promise<CopiedReport[]> {
  const archives = await chooseArchives(store, run, options.service);
  const destination = await openDestination(options, store.env);
  const copied: CopiedReport[] = [];
  try {
    for (const { archive, bytes } of archives) {
      const name = `${archive}.tar.gz`;
      const open = () => store.files.reports.open(run.uid, archive);
      try {
        copied.push({
          report: archive,
          to: destination.place(name),
          outcome: await destination.put({ open, bytes, sha256: await hash(await open()) }, name),
          message: "",
        });
      } catch (error) {
        copied.push({
          report: archive,
          to: destination.place(name),
          outcome: "failed",
          message: (error as Error).message,
        });
      }
    }
  } finally {
    destination.close();
  }
  return copied;
}

async function openDestination(options: CopyOptions, env: Environment): Promise<Destination> {
  // An empty destination, from an unset shell variable, would mean the current folder.
  if (options.to !== "" && !/^[a-z][a-z0-9+.-]*:\/\//i.test(options.to))
    return folder(resolve(options.to), options.overwrite);
  if (!options.to.startsWith("s3://"))
    throw new StateError(`reports cannot be copied to "${options.to}"`, "name a folder, or s3://bucket/prefix");
  const { openBucket } = await import("./bucket.js");
  return openBucket(options, env);
}

async function folder(directory: string, overwrite: boolean): Promise<Destination> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StateError(`reports cannot be copied to ${directory}: ${(error as Error).message}`, "", { cause: error });
  }
  return {
    place: (name) => join(directory, name),
    async put(source, name) {
      const target = join(directory, name);
      if (existsSync(target)) {
        if ((await hash(createReadStream(target))) === source.sha256) return "there";
        if (!overwrite) throw new OccupiedError(target);
      }
      const temporary = join(directory, `.${name}.${randomBytes(6).toString("hex")}`);
      try {
        await pipeline(await source.open(), createWriteStream(temporary, { mode: 0o600, flags: "wx" }));
        await rename(temporary, target);
      } finally {
        await rm(temporary, { force: true });
      }
      return "copied";
    },
    close: () => undefined,
  };
}

async function hash(content: Readable): Promise<string> {
  const sum = createHash("sha256");
  for await (const chunk of content) sum.update(chunk as Buffer);
  return sum.digest("hex");
}
