/**
 * The POSIX sh script that sends a machine's files. It runs the machine's tar once per match, so that an unreadable
 * file does not spoil the others. On standard output, a line with the nonce precedes each archive. File names go to
 * standard error between two nonces, so that no file name can fake the end of a note.
 */
import { quote } from "../shell/quote.js";
import { superuser } from "../shell/channelScript.js";

/** The base of an archive's paths: the step's report folder, a relative pattern, or an absolute pattern. */
export type PathBase = "report" | "relative" | "absolute";

/**
 * Why something was left out. none: no match; dangling: a link without a target; special: not a plain file or folder;
 * unreadable: no permission; base: no directory to start from; tar: tar failed.
 */
export type Reason = "none" | "dangling" | "special" | "unreadable" | "base" | "tar";

export interface FetchRequest {
  /** A folder of the step that is sent as a whole, or null. */
  readonly report: {
    /**
     * Candidate directories of the step, below the connection's work directory. The first one that contains the folder
     * is used, and removed at the end.
     */
    readonly steps: readonly string[];
    readonly folder: string;
  } | null;
  /**
   * Shell patterns; `*`, `?` and `[` of inserted values are escaped. They are matched, never evaluated. A relative
   * pattern starts at the first existing directory of `base`, or at the home directory if `base` is empty.
   */
  readonly patterns: readonly string[];
  /** Directories below the connection's work directory. */
  readonly base: readonly string[];
  /** Read the files as root. */
  readonly sudo: boolean;
}

export interface FetchContext {
  /** The connection's work directory; absolute, or relative to the home directory. */
  readonly workDirectory: string;
  readonly nonce: string;
}

/** The line that tells the machine that all files were stored. */
export const fetchDismissal = (nonce: string): string => `bl-dismissed ${nonce}`;

/** Sends the files, prints `bl-done`, and removes the step's directory on dismissal. */
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
    // Only a step's directory contains .bl, so nothing else can be removed.
    `while read -r w; do [ "$w" = ${quote(fetchDismissal(nonce))} ] || continue; cd / && { [ ! -d "$t/.bl" ] || rm -rf "$t" 2>/dev/null || $S rm -rf "$t" || bl_say fail remove; }; done`,
    "}",
    "",
  ].join("\n");
}

/**
 * Runs as the user who may read the files. $1 is the step's directory, $2 the start of relative patterns; both may be
 * empty.
 */
function worker(nonce: string, { report, patterns }: FetchRequest): string {
  const relative = patterns.filter((pattern) => !pattern.startsWith("/"));
  const absolute = patterns.filter((pattern) => pattern.startsWith("/"));
  const search = (pattern: string, prefix: string) => `bl_match ${quote(prefix + pattern)} ${quote(pattern)}`;
  return [
    "{",
    // Without field splitting, an unquoted variable is only expanded as a pattern.
    "LC_ALL=C; export LC_ALL; IFS=",
    // For GNU tar; others do not read it. Holes of sparse files are not sent.
    "TAR_OPTIONS='--sparse --format=posix --pax-option=delete=*time'; export TAR_OPTIONS",
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

/** Sends one match. A matched link is followed; links inside a matched folder stay links. */
const SEND = `
bl_tar() { bl_mark "$o"; tar -"$1"f - "$2" </dev/null || bl_note tar "$2"; }
bl_send() {
if [ ! -e "$1" ]; then bl_note dangling "$1"
elif [ ! -f "$1" ] && [ ! -d "$1" ]; then bl_note special "$1"
elif [ ! -r "$1" ]; then bl_note unreadable "$1"
elif [ -d "$1" ]; then bl_tar c "$1/."
elif [ -L "$1" ]; then bl_tar ch "$1"
else bl_tar c "$1"; fi; }`.trim();
