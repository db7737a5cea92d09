/** Reads a .tar.gz as bundle members. The archive is untrusted, so none of its paths may leave the step's directory. */
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { type BundleEntry, StagingSourceError, isStagingSourceError } from "./bundleEntry.js";

/**
 * @throws StagingSourceError for a damaged archive, for paths and links that leave it, and for devices, sockets and
 *   FIFOs.
 */
export async function readArchive(path: string): Promise<BundleEntry[]> {
  const entries = new Map<string, BundleEntry>();
  const links: { name: string; target: string }[] = [];
  const unpacking = extract();
  const piped = pipeline(createReadStream(path), createGunzip(), unpacking);
  const reading = (async () => {
    for await (const member of unpacking) {
      const chunks: Buffer[] = [];
      for await (const chunk of member) chunks.push(chunk as Buffer);
      take(path, member.header, Buffer.concat(chunks), entries, links);
    }
  })();
  const [read, pipe] = await Promise.allSettled([reading, piped]);
  for (const outcome of [read, pipe]) if (outcome.status === "rejected") throw explain(path, outcome.reason);
  for (const link of links) follow(path, link, entries, links);
  return [...entries.values()];
}

function take(
  path: string,
  header: Header,
  content: Buffer,
  entries: Map<string, BundleEntry>,
  links: { name: string; target: string }[],
): void {
  const name = inside(path, header.name, "");
  const mode = (header.mode ?? 0o644) & 0o777;
  switch (header.type) {
    case "directory":
      if (name !== "") entries.set(name, { kind: "directory", name, mode: mode | 0o700 });
      return;
    case "file":
    case "contiguous-file":
      entries.set(name, { kind: "file", name, mode, content });
      return;
    case "symlink":
      links.push({ name, target: inside(path, header.linkname ?? "", posix.dirname(name)) });
      return;
    case "link":
      links.push({ name, target: inside(path, header.linkname ?? "", "") });
      return;
    case "block-device":
    case "character-device":
    case "fifo":
      throw new StagingSourceError(`${path}: ${header.name} is a ${header.type}, which cannot be bundled`);
  }
}

/** Normalizes a member's path, without `./`. Throws if it leaves the archive. */
function inside(path: string, name: string, base: string): string {
  const joined = posix.normalize(posix.join(base, name)).replace(/\/$/, "");
  if (
    posix.isAbsolute(name) ||
    (name.split("/").includes("..") && base === "") ||
    joined === ".." ||
    joined.startsWith("../")
  ) {
    throw new StagingSourceError(`${path}: ${name} points outside the archive`);
  }
  return joined === "." ? "" : joined;
}

/** Replaces a link by a copy of its target, as `folder.ts` does. */
function follow(
  path: string,
  link: { name: string; target: string },
  entries: Map<string, BundleEntry>,
  links: readonly { name: string; target: string }[],
): void {
  let target = link.target;
  for (let hops = 0; !entries.has(target); hops++) {
    const next = links.find(({ name }) => name === target);
    if (next === undefined || hops > 40)
      throw new StagingSourceError(`${path}: the link ${link.name} has no target in the archive`);
    target = next.target;
  }
  if (link.name.startsWith(`${target}/`))
    throw new StagingSourceError(`${path}: the link ${link.name} leads to a folder that contains it`);
  for (const entry of [...entries.values()]) {
    if (entry.name === target) entries.set(link.name, { ...entry, name: link.name });
    else if (entry.name.startsWith(`${target}/`))
      entries.set(link.name + entry.name.slice(target.length), {
        ...entry,
        name: link.name + entry.name.slice(target.length),
      });
  }
}

function explain(path: string, cause: unknown): Error {
  if (isStagingSourceError(cause)) return cause;
  return new StagingSourceError(
    `${path} is not a readable .tar.gz: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}
