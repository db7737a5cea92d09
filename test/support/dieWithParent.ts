/** Ties a process to the one that starts it. */

/**
 * The words that run `program` as a child of this process that is killed with it. The signal is asked for by the child
 * itself, which a parent that dies just before never sends: so the child looks afterwards whether it still has its
 * parent.
 */
export function dieWithParent(program: readonly string[]): string[] {
  return [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "sh",
    "-c",
    '[ "$PPID" = "$0" ] || exit 1; exec "$@"',
    String(process.pid),
    ...program,
  ];
}
