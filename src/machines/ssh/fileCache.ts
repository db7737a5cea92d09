/**
 * Files that every connection needs (keys, known hosts): read and parsed once for all machines, and again when they
 * have changed.
 */
import { readFile, stat } from "node:fs/promises";

interface Known<T> {
  readonly version: string;
  readonly value: Promise<T>;
}

/**
 * Remembers what `parse` made of each file, as long as its inode, size and times stay what they were.
 * The returned function rejects with the system's error for a file that cannot be read, and with what `parse` throws;
 * neither is remembered.
 */
export function cachedFile<T>(parse: (content: Buffer) => T): (path: string) => Promise<T> {
  const files = new Map<string, Known<T>>();
  return async (path) => {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    const version = [ino, size, mtimeNs, ctimeNs].join();
    const known = files.get(path);
    if (known?.version === version) return known.value;
    const value = readFile(path).then(parse);
    files.set(path, { version, value });
    value.catch(() => {
      files.delete(path);
    });
    return value;
  };
}
