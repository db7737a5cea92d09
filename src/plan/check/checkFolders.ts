/** What in the folders of a plan cannot be sent to a machine. */
import { lstatSync, realpathSync, statSync, type Stats } from "node:fs";
import { basename, join } from "node:path";

import { danglingLink, entriesOf, NOT_UTF8 } from "../../files/entries.js";

/** The number of problems that are named; the others are counted. */
const MOST_NAMED = 3;

/** What is wrong with a folder or file that is sent, in one sentence; null if nothing is. */
export function sendProblem(path: string): string | null {
  const problems = problemsOf(path, basename(path), []);
  if (problems.length === 0) return null;
  const more = problems.length > MOST_NAMED ? `; and ${problems.length - MOST_NAMED} more` : "";
  return problems.slice(0, MOST_NAMED).join("; ") + more;
}

/** @param above real paths of the folders above: a link to one of them is a loop. */
function problemsOf(path: string, name: string, above: readonly string[]): string[] {
  const is = (problem: string): string[] => [`"${name}" ${problem}`];
  try {
    const found = follow(path);
    if (typeof found === "string") return is(found);
    if (found.isFile()) return [];
    if (!found.isDirectory()) return is("is neither a file nor a folder");
    const real = realpathSync(path);
    if (above.includes(real)) return is("is a link to a folder that contains it");
    return entriesOf(path).flatMap((entry) =>
      entry.isUtf8
        ? problemsOf(join(path, entry.name), `${name}/${entry.name}`, [...above, real])
        : [`"${name}/${entry.name}" ${NOT_UTF8}`],
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return is(code === "EACCES" ? "is not readable" : `cannot be read: ${message}`);
  }
}

/** What a path leads to, or why it leads nowhere. */
function follow(path: string): Stats | string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) return found;
  return lstatSync(path).isSymbolicLink() ? danglingLink(basename(path)) : "does not exist";
}
