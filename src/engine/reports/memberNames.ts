/** Names of files as they stand in an archive: below a folder of their own, whatever a machine says. */
import { posix } from "node:path";

import type { PathBase } from "../../machines/files/fetchScript.js";

/** The folder of an archive in which files of an origin lie. */
const FOLDERS: Readonly<Record<PathBase, string>> = { report: "report", relative: "files", absolute: "files" };

/** Where a machine's file lies in the archive; null for a name that leads out, and "" for the folder itself. */
export function memberName(origin: PathBase, name: string): string | null {
  const path = posix.normalize(name).replace(/\/+$/, "");
  if (path === "." || path === "") return "";
  if (path.startsWith("/") || path === ".." || path.startsWith("../") || path.includes("\0")) return null;
  return `${FOLDERS[origin]}/${path}`;
}

/** A machine's file as its operator knows it. */
export function machineName(origin: PathBase, name: string): string {
  const path = posix.normalize(name).replace(/^\.?\/|\/+$/g, "");
  return origin === "absolute" ? `/${path}` : origin === "report" ? `report/${path}` : path;
}

/** What a symbolic link at `name` (a path in the archive) leads to there; null if it leads out of its folder. */
export function linkTarget(name: string, linkname: string): string | null {
  if (linkname === "" || linkname.startsWith("/") || linkname.includes("\0")) return null;
  const folder = `${name.slice(0, name.indexOf("/"))}/`;
  const target = posix.join(posix.dirname(name), linkname).replace(/\/+$/, "");
  return target.startsWith(folder) ? target : null;
}
