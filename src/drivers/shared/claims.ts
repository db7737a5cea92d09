/**
 * Things that only one machine may have at a time (a loopback address, a host of a pool), kept as files: creating one
 * with O_EXCL is the claim, so launchers that meet do not share one, whoever dies when.
 */
import { linkSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

export interface Claim<T> {
  readonly name: string;
  readonly holder: T;
}

/** A draft lives for a moment. One of this age, in milliseconds, was left by a launcher that died in that moment. */
const ABANDONED_MS = 60 * 60_000;

export class Claims<T> {
  constructor(private readonly directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(directory).filter((name) => name.startsWith("."))) {
      const written = statSync(join(directory, file), { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
      if (Date.now() - written > ABANDONED_MS) rmSync(join(directory, file), { force: true });
    }
  }

  /** @returns false if somebody has it already. The claim appears whole, with its holder, and is on disk. */
  take(name: string, holder: T): boolean {
    const draft = join(this.directory, `.${randomBytes(6).toString("hex")}`);
    writeFileSync(draft, JSON.stringify(holder), { mode: 0o600, flag: "wx", flush: true });
    try {
      linkSync(draft, this.path(name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      unlinkSync(draft);
    }
  }

  release(name: string): void {
    try {
      unlinkSync(this.path(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  /** Who has it, or null. */
  holder(name: string): T | null {
    try {
      return JSON.parse(readFileSync(this.path(name), "utf8")) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  all(): Claim<T>[] {
    return readdirSync(this.directory)
      .filter((file) => !file.startsWith("."))
      .map((file) => decodeURIComponent(file))
      .flatMap((name) => {
        const holder = this.holder(name);
        return holder === null ? [] : [{ name, holder }];
      });
  }

  private path(name: string): string {
    // Files that begin with a dot are drafts, and "." and ".." are no files.
    return join(this.directory, encodeURIComponent(name).replace(/^\./, "%2E"));
  }
}
