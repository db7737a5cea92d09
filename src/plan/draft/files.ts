/** Access to the launcher's files that a plan names. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

export type FileKind = "file" | "folder" | "missing";

/** Inspects each file once, even if several services name it. */
export class Files {
  private readonly kinds = new Map<string, FileKind>();
  private readonly firstLines = new Map<string, string>();
  private readonly listings = new Map<string, string[]>();

  kind(path: string): FileKind {
    return remember(this.kinds, path, kindOf);
  }

  /** The beginning of a file's first line with its line end, or "" if it cannot be read. */
  firstLine(path: string): string {
    return remember(this.firstLines, path, readFirstLine);
  }

  /** Whether a file has no bytes. False for one that cannot be looked at. */
  isEmpty(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.size === 0;
  }

  /** The names in a folder. Empty if it cannot be read. */
  names(folder: string): string[] {
    return remember(this.listings, folder, list);
  }
}

/** An absolute path. A leading `~` stands for the user's home directory, `home`. */
export function expandHome(path: string, dir: string, home: string): string {
  if (path === "~") return home;
  return path.startsWith("~/") ? join(home, path.slice(2)) : resolve(dir, path);
}

/** Whether a program's path names an archive of a folder. */
export function isArchive(path: string): boolean {
  return /\.(tar\.gz|tgz)$/i.test(path);
}

function remember<T>(known: Map<string, T>, path: string, make: (path: string) => T): T {
  const value = known.get(path) ?? make(path);
  known.set(path, value);
  return value;
}

function kindOf(path: string): FileKind {
  try {
    return statSync(path).isDirectory() ? "folder" : "file";
  } catch {
    // For the plan's author a file that cannot be read is missing: the program cannot be sent.
    return "missing";
  }
}

function readFirstLine(path: string): string {
  try {
    const file = openSync(path, "r");
    try {
      const buffer = Buffer.alloc(256);
      const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
      const newline = text.indexOf("\n");
      return newline === -1 ? text : text.slice(0, newline + 1);
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
