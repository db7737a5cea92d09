/** File patterns on the command line, with minimatch syntax. */
import { minimatch } from "minimatch";

/**
 * Whether a path (`logs/boot.log`) matches. A pattern without a slash matches the last path component only. Names that
 * start with a dot are not special.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  return minimatch(path, pattern, { dot: true, matchBase: true, nocomment: true, nonegate: true, platform: "linux" });
}
