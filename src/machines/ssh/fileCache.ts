/** Caches parsed files that every connection needs (keys, known_hosts), until they change. */
import { readFile, stat } from "node:fs/promises";

interface Known<T> {
  readonly version: string;
  readonly value: Promise<T>;
}

/**
 * Caches the result of `parse` per file until its inode, size or times change. The returned function rejects with the
 * system error of an unreadable file, or with the error of `parse`; neither is cached.
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
