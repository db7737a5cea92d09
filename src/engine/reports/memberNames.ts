/** Names of archive members. Each stays below its own folder, whatever a machine sends. */
import { posix } from "node:path";

import type { PathBase } from "../../machines/files/fetchScript.js";

/** The archive folder for the files of each origin. */
const FOLDERS: Readonly<Record<PathBase, string>> = { report: "report", relative: "files", absolute: "files" };

/** The archive path of a machine's file; null for a name that points outside, "" for the folder itself. */
export function memberName(origin: PathBase, name: string): string | null {
  const path = posix.normalize(name).replace(/\/+$/, "");
  if (path === "." || path === "") return "";
  if (path.startsWith("/") || path === ".." || path.startsWith("../") || path.includes("\0")) return null;
  return `${FOLDERS[origin]}/${path}`;
}

/** A machine's file by the name that its operator knows. */
export function machineName(origin: PathBase, name: string): string {
  const path = posix.normalize(name).replace(/^\.?\/|\/+$/g, "");
  return origin === "absolute" ? `/${path}` : origin === "report" ? `report/${path}` : path;
}

/** The archive path that a symbolic link at `name` (an archive path) points to; null if that is outside its folder. */
export function linkTarget(name: string, linkname: string): string | null {
  if (linkname === "" || linkname.startsWith("/") || linkname.includes("\0")) return null;
  const folder = `${name.slice(0, name.indexOf("/"))}/`;
  const target = posix.join(posix.dirname(name), linkname).replace(/\/+$/, "");
  return target.startsWith(folder) ? target : null;
}
