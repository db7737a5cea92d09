/** Images of local machines: copies of their homes, each in a private directory of its own. */
import { randomUUID } from "node:crypto";
import { chmod, cp, lstat, mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";

import { exists } from "../../files/exists.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { DriverError } from "../contract/driver.js";

/** Ids begin with this: any other word under `image:` means nothing to local machines. */
const PREFIX = "local-image:";

export class LocalImages {
  /** @param directory where they lie; made when the first one is. */
  constructor(private readonly directory: string) {}

  isImage(id: string): boolean {
    return id.startsWith(PREFIX);
  }

  /**
   * Copies a machine's home, unless there is an image of that name. @returns its id. @throws DriverError if the machine
   * has none.
   */
  async make(name: string, home: string): Promise<string> {
    const id = `${PREFIX}${name}`;
    const place = this.place(id);
    if (exists(place)) return id;
    if (!exists(home)) throw new DriverError(`there is no machine directory ${dirname(home)} to make an image of`);
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await this.removeRemains(place);
    await copyWhole(home, place);
    return id;
  }

  /**
   * Makes a machine's home of an image, whole or not at all; one that is there stays.
   * @throws DriverError if there is no such image.
   */
  async copyTo(id: string, home: string): Promise<void> {
    if (exists(home)) return;
    const place = this.place(id);
    if (!exists(place)) throw new DriverError(`there is no image ${id} on this computer: build it again`);
    await mkdir(dirname(home), { recursive: true, mode: 0o700 });
    await copyWhole(place, home);
  }

  /** Removes an image. Safe to repeat. */
  async remove(id: string): Promise<void> {
    if (!this.isImage(id)) throw new DriverError(`${id} is no image of local machines`);
    const place = this.place(id);
    // Nobody can start from a part of it: what has begun to go has another name.
    if (exists(place)) await rename(place, `${place}.${randomUUID()}.new`);
    await this.removeRemains(place);
  }

  private place(id: string): string {
    return join(this.directory, encodeURIComponent(id.slice(PREFIX.length)));
  }

  /** What a launcher that died left half done. Only one at a time makes or removes an image of one name. */
  private async removeRemains(place: string): Promise<void> {
    const names = exists(this.directory) ? await readdir(this.directory) : [];
    for (const name of names) {
      const path = join(this.directory, name);
      if (path.startsWith(`${place}.`) && name.endsWith(".new")) await removeMachineDirectory(path);
    }
  }
}

/**
 * A copy with modes, times and links as they are, under its name only when it is whole. Sockets and pipes belong to
 * programs that ran: they stay behind.
 */
async function copyWhole(from: string, to: string): Promise<void> {
  const begun = `${to}.${randomUUID()}.new`;
  const isCopied = async (path: string): Promise<boolean> => {
    const stat = await lstat(path);
    return stat.isDirectory() || stat.isFile() || stat.isSymbolicLink();
  };
  try {
    await cp(from, begun, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: isCopied });
    await chmod(begun, 0o700);
    await rename(begun, to);
  } catch (error) {
    await removeMachineDirectory(begun);
    throw error;
  }
}
