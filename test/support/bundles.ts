/** Bundles in a folder of a test's own. */
import { join } from "node:path";
import type { Readable } from "node:stream";

import { packBundle, type Bundle, type BundleSource } from "../../src/machines/program/bundle.js";
import type { BundleContent } from "../../src/state/contract/files.js";
import { bundleFolder } from "../../src/state/files/bundleFolder.js";

export class BundleFile implements Bundle {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  constructor(
    private readonly folder: string,
    { sha256, size }: BundleContent,
    readonly entry: string | null,
  ) {
    this.path = join(folder, `${sha256}.tar`);
    this.sha256 = sha256;
    this.size = size;
  }

  open(): Promise<Readable> {
    return bundleFolder(this.folder, this.folder).open(this);
  }
}

/** Packs a program and keeps it in the folder, as an installation does. */
export async function writeBundle(source: BundleSource, folder: string): Promise<BundleFile> {
  const { entry, content } = await packBundle(source);
  return new BundleFile(folder, await bundleFolder(folder, folder).put(content), entry);
}
