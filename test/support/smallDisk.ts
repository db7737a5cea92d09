/**
 * A disk of its own, in memory: small, and read-only on demand. Mounting needs root; without it tests that need one are
 * left out, and it is said.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, test } from "@jest/globals";

export interface Disk {
  readonly directory: string;
  /** Leaves not one block free. */
  fill(): void;
  /** Takes the filling away. */
  makeRoom(): void;
  setReadOnly(readOnly: boolean): void;
  /** Safe to repeat. Whatever still runs there keeps it until it ends. */
  unmount(): void;
}

const mounted = new Set<Disk>();

export function mountDisk(megabytes: number): Disk {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel disk é "));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, "tmpfs", directory]);
  const filling = join(directory, "filling");
  const disk: Disk = {
    directory,
    fill() {
      const { bavail, bsize } = statfsSync(directory);
      writeFileSync(filling, Buffer.alloc(bavail * bsize, 1));
    },
    makeRoom: () => {
      rmSync(filling);
    },
    setReadOnly: (readOnly) => {
      execFileSync("mount", ["-o", `remount,${readOnly ? "ro" : "rw"}`, directory]);
    },
    unmount() {
      if (!mounted.delete(disk)) return;
      execFileSync("umount", ["--lazy", directory]);
      rmdirSync(directory);
    },
  };
  mounted.add(disk);
  return disk;
}

afterAll(() => {
  for (const disk of [...mounted]) disk.unmount();
});

/** A test that mounts. */
export function testWithMounts(name: string, work: () => Promise<void>): void {
  if (process.getuid?.() === 0) return test(name, work);
  console.log(`SKIPPED, since mounting needs root: ${name}`);
  test.skip(name, work);
}
