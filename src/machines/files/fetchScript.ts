/**
 * The script that sends files of a machine home, as POSIX sh. What it finds it hands to the machine's own tar, one
 * match at a time, so that a file that cannot be read spoils no other. On standard output a line with the nonce stands
 * before each of these archives; names come on standard error, between two nonces, so that nothing in a name can be
 * mistaken for the end of it.
 */
import { quote } from "../shell/quote.js";
import { superuser } from "../shell/channelScript.js";

/** Where the files of an archive come from: what a step's program left for it, a relative or an absolute pattern. */
export type PathBase = "report" | "relative" | "absolute";

/**
 * Why the machine left something out: nothing matches, a link to nothing, no plain file, closed to its user, no
 * directory to begin at.
 */
export type Reason = "none" | "dangling" | "special" | "unreadable" | "base" | "tar";

export interface FetchRequest {
  /** The folder of a step that is sent as a whole, or null. */
  readonly report: {
    /**
     * Directories in which the step may lie, below the connection's work directory: the first one that has the folder
     * counts, and is removed at the end.
     */
    readonly steps: readonly string[];
    readonly folder: string;
  } | null;
  /**
   * Shell patterns; of a value in one, `*`, `?` and `[` are escaped. They are matched, and never parsed. A relative one
   * begins at the first of `base` that is there, or at the home directory when `base` is empty.
   */
  readonly patterns: readonly string[];
  /** Directories below the connection's work directory. */
  readonly base: readonly string[];
  /** Read the files as root. */
  readonly sudo: boolean;
}

export interface FetchContext {
  /** The connection's work directory; relative to the home directory there, or absolute. */
  readonly workDirectory: string;
  readonly nonce: string;
}

/** What the machine is told when everything that it sent is kept. */
export const fetchDismissal = (nonce: string): string => `bl-dismissed ${nonce}`;

/** Sends the files, tells `bl-done`, and removes the step's directory when it is dismissed. */
export function fetchScript(context: FetchContext, request: FetchRequest): string {
  const { nonce } = context;
  const below = (directory: string) =>
    context.workDirectory.startsWith("/")
      ? quote(`${context.workDirectory}/${directory}`)
      : `"\${HOME:?}"/${quote(`${context.workDirectory}/${directory}`)}`;
  const first = (name: string, directories: readonly string[], file: string) =>
    `${name}=; for d in ${directories.map(below).join(" ")}; do [ -n "$${name}" ] || [ ! -e "$d"/${quote(file)} ] || ${name}=$d; done`;
  const { report, base } = request;
  return [
    "{",
    `bl_say() { printf '\\nbl-%s ${nonce} %s\\n' "$1" "\${2:--}" >&2; exit 97; }`,
    "umask 077",
    superuser(request.sudo),
    "command -v tar >/dev/null 2>&1 || bl_say fail no-tar",
    report === null ? "t=" : first("t", report.steps, report.folder),
    base.length === 0 ? "b=${HOME:?}" : first("b", base, ".bl"),
    `w=${quote(worker(nonce, request))}`,
    'printf %s "$w" | $S /bin/sh -s "$t" "$b" || bl_say fail fetch',
    `printf '\\nbl-done ${nonce} -\\n' >&2`,
    // The directory is told apart from all others by what only bootlevel makes.
    `while read -r w; do [ "$w" = ${quote(fetchDismissal(nonce))} ] || continue; cd / && { [ ! -d "$t/.bl" ] || rm -rf "$t" 2>/dev/null || $S rm -rf "$t" || bl_say fail remove; }; done`,
    "}",
    "",
  ].join("\n");
}

/**
 * Runs as the user who may read the files. $1 is the step's directory, $2 where relative patterns begin; both may be
 * empty.
 */
function worker(nonce: string, { report, patterns }: FetchRequest): string {
  const relative = patterns.filter((pattern) => !pattern.startsWith("/"));
  const absolute = patterns.filter((pattern) => pattern.startsWith("/"));
  const search = (pattern: string, prefix: string) => `bl_match ${quote(prefix + pattern)} ${quote(pattern)}`;
  return [
    "{",
    // Without field splitting, an unquoted variable is matched against file names and nothing else.
    "LC_ALL=C; export LC_ALL; IFS=",
    `bl_mark() { printf '\\nbl-${nonce} %s\\n' "$1"; }`,
    `bl_note() { printf 'bl-${nonce} %s %s %s bl-${nonce}\\n' "$1" "$o" "$2" >&2; }`,
    SEND,
    'bl_match() { for f in $1; do if [ -e "$f" ] || [ -L "$f" ]; then bl_send "$f"; else bl_note none "$2"; fi; done; }',
    report === null ? ":" : `o=report; [ -z "$1" ] || ! cd "$1"/${quote(report.folder)} || bl_tar c .`,
    ...(relative.length === 0
      ? []
      : [
          `o=relative; if [ -n "$2" ] && cd "$2"; then ${relative.map((pattern) => search(pattern, "./")).join("; ")}; else bl_note base "$2"; fi`,
        ]),
    ...(absolute.length === 0 ? [] : ["o=absolute; cd /", ...absolute.map((pattern) => search(pattern, "."))]),
    "bl_mark end",
    "}",
  ].join("\n");
}

/**
 * Sends one match. A link that was matched is followed, since what it leads to was meant; links below a folder stay
 * links.
 */
const SEND = `
bl_tar() { bl_mark "$o"; tar -"$1"f - "$2" </dev/null || bl_note tar "$2"; }
bl_send() {
if [ ! -e "$1" ]; then bl_note dangling "$1"
elif [ ! -f "$1" ] && [ ! -d "$1" ]; then bl_note special "$1"
elif [ ! -r "$1" ]; then bl_note unreadable "$1"
elif [ -d "$1" ]; then bl_tar c "$1/."
elif [ -L "$1" ]; then bl_tar ch "$1"
else bl_tar c "$1"; fi; }`.trim();
