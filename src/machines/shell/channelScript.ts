/** What every script that goes over a channel has in common, whatever it does. */

/** What the launcher and a script agree on: where, and the nonce that tells the script's words from a program's. */
export interface ScriptContext {
  /** The step's directory, absolute or relative to the home directory. */
  readonly directory: string;
  readonly nonce: string;
}

/**
 * The line that a machine's login shell is given (sh, bash, zsh, csh and fish read it alike): it takes the script, and
 * not one byte more, from standard input. Only `dd` promises that: with blocks of one byte on every system, in one
 * piece where it knows how to fill a block.
 */
export function channelCommand(script: string): string {
  return `exec /bin/sh -c 'eval "$(count=${Buffer.byteLength(script)}; dd bs=$count count=1 iflag=fullblock 2>/dev/null || dd ibs=1 count=$count 2>/dev/null)"'`;
}

/** The braces make the shell read the whole before it runs any: a script that was cut off does nothing. */
export function block(lines: readonly string[]): string {
  return `{\n${lines.join("\n")}\n}\n`;
}

/**
 * Sets S to what makes a command root's: nothing for root. /bin/sh is what will be run, so that is what is asked for.
 */
export function superuser(sudo: boolean): string {
  if (!sudo) return "S=";
  return 'S=; if [ "$(id -u)" != 0 ]; then S="sudo -n"; command -v sudo >/dev/null 2>&1 || bl_say fail no-sudo; $S /bin/sh -c : || bl_say fail sudo; fi';
}
