/** File patterns of the command line, as minimatch reads them. */
import { minimatch } from "minimatch";

/**
 * Whether a path (`logs/boot.log`) matches. A pattern without a slash is matched against the last name alone; names
 * that begin with a dot are names like others.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  return minimatch(path, pattern, { dot: true, matchBase: true, nocomment: true, nonegate: true, platform: "linux" });
}
