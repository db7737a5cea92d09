/** Shell code that every script sent over a channel shares. */

/** What the launcher and a script agree on. The nonce separates the script's own lines from a program's output. */
export interface ScriptContext {
  /** The step's directory, absolute or relative to the home directory. */
  readonly directory: string;
  readonly nonce: string;
}

/**
 * The command line for a machine's login shell; sh, bash, zsh, csh and fish parse it alike. It reads exactly the script
 * from standard input and not one byte more. Only `dd` guarantees that: with one-byte blocks on every system, in one
 * block where `iflag=fullblock` is supported.
 */
export function channelCommand(script: string): string {
  return `exec /bin/sh -c '${scriptReader(script)}'`;
}

/** What a shell says on both outputs right before it runs a script, in a line of its own. */
export const GREETING = "bl-shell";

/** Shell code, without single quotes, that greets, and then reads and runs the script. */
export function scriptReader(script: string): string {
  const greet = `printf "\\n%s\\n" ${GREETING}`;
  return `${greet}; ${greet} >&2; eval "$(count=${Buffer.byteLength(script)}; dd bs=$count count=1 iflag=fullblock 2>/dev/null || dd ibs=1 count=$count 2>/dev/null)"`;
}

/** Drops what start-up files of the login shell printed before the greeting. */
export function afterGreeting(text: string): string {
  const mark = `\n${GREETING}\n`;
  const at = text.lastIndexOf(mark);
  return at < 0 ? text : text.slice(at + mark.length);
}

/** The braces make the shell parse the whole script before it runs any of it, so a truncated script does nothing. */
export function block(lines: readonly string[]): string {
  return `{\n${lines.join("\n")}\n}\n`;
}

/** Whether a program runs as root; "itself": it runs as the user, and calls sudo for parts of its work. */
export type SudoUse = boolean | "itself";

/**
 * Shell code that sets S to the prefix for commands as root; it is empty for root. The check runs /bin/sh through sudo
 * because sudo may allow some commands only, and /bin/sh is the one that is run later. Its messages are in English: the
 * launcher reads them.
 */
export function superuser(sudo: boolean): string {
  if (!sudo) return "S=";
  return 'S=; if [ "$(id -u)" != 0 ]; then S="sudo -n"; command -v sudo >/dev/null 2>&1 || bl_say fail no-sudo; LC_ALL=C $S /bin/sh -c : || bl_say fail sudo; fi';
}

/** The same for whoever ends a program or removes its files: one that calls sudo itself may have left root's behind. */
export function superuserAfter(sudo: SudoUse): string {
  if (sudo !== "itself") return superuser(sudo);
  return 'S=; if [ "$(id -u)" != 0 ]; then sudo -n /bin/sh -c : >/dev/null 2>&1 && S="sudo -n"; fi';
}
