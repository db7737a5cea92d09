/**
 * The files of an operator's session on a machine: the environment of a program, its attributes, and a `bl` that the
 * launcher answers. Secrets go over the channel's input, never into a command line. The channel stays open: when it
 * ends, whatever the reason, the machine removes the files.
 */
import { randomBytes } from "node:crypto";
import pTimeout, { TimeoutError } from "p-timeout";

import type { Channel, MachineConnection } from "../contract/connection.js";
import { StagingError } from "../contract/errors.js";
import { block } from "../shell/channelScript.js";
import { openShell } from "../shell/openShell.js";
import { quote } from "../shell/quote.js";
import { BL_SCRIPT } from "./bl.js";
import type { BlHandler } from "./blRequest.js";
import { RelayConnection } from "./relayConnection.js";

/** Time limit for preparing, and for the end, in milliseconds. */
const PREPARE_MS = 20_000;
const GOODBYE_MS = 2_000;
const LONGEST_ANSWER = 65_536;

export interface OperatorSessionOptions {
  /** The session's directory, relative to the connection's work directory. It must not exist yet. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Passed as a JSON object in the file $BOOTLEVEL_ATTRIBUTES. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly handler: BlHandler;
  onWarning(message: string): void;
}

export interface OperatorSession {
  /** One line of shell, without secrets, that puts the environment into the shell that runs it. */
  readonly enter: string;
  /** Removes the session's files. */
  close(): Promise<void>;
}

/** @throws StagingError, ConnectionError when the machine cannot prepare it. */
export async function openOperatorSession(
  connection: MachineConnection,
  options: OperatorSessionOptions,
): Promise<OperatorSession> {
  const nonce = randomBytes(12).toString("hex");
  const script = sessionScript(`${connection.workDirectory}/${options.directory}`, nonce, options);
  const channel = await openShell(connection, script);
  channel.stdin.on("error", () => undefined); // the channel's end gives the reason
  const ready = readPaths(channel, nonce);
  channel.stdin.write(script);
  const close = async (): Promise<void> => {
    channel.stdin.end();
    await pTimeout(channel.ended, { milliseconds: GOODBYE_MS, fallback: () => undefined });
    channel.close();
  };
  try {
    const { directory, runtime } = await pTimeout(ready, { milliseconds: PREPARE_MS });
    const relays = new RelayConnection(options);
    relays.attend(connection, "anew");
    return {
      enter: `bl_d=${quote(directory)}; bl_r=${quote(runtime)}; . "$bl_r/environment"; unset bl_d bl_r`,
      close: async () => {
        await relays.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error instanceof TimeoutError ? new StagingError(`${connection.label} did not answer in time`) : error;
  }
}

/** The line before the two paths that the script answers with. */
const readyMark = (nonce: string): string => `bl-session ${nonce}`;

function sessionScript(
  directory: string,
  nonce: string,
  { env, attributes }: Pick<OperatorSessionOptions, "env" | "attributes">,
): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`);
  const own =
    'export BOOTLEVEL_ATTRIBUTES="$bl_r/attributes" BOOTLEVEL_COORDINATION="$bl_r" PATH="$bl_d/.bl/bin:${PATH:-/usr/bin:/bin}"';
  const write = (text: string, path: string): string => `printf %s ${quote(text)} >${path}`;
  return block([
    `umask 077; d=${quote(directory)}; case $d in /*) ;; *) d=\${HOME:?}/$d ;; esac; r=/dev/shm/bl.${nonce}`,
    'bl_end() { cd /; rm -rf "$d" "$r"; rmdir "${d%/*}" 2>/dev/null; exit "$1"; }',
    'mkdir -p "$d/.bl/bin" || exit 1',
    '[ -w /dev/shm ] && mkdir "$r" 2>/dev/null || r=$(mktemp -d "${XDG_RUNTIME_DIR:-/nowhere}/bl.XXXXXXXXXX" 2>/dev/null) || { r=$d/.bl/rt; mkdir "$r" || bl_end 1; }',
    `{ printf '%s\\n' "$r" >"$d/.bl/rt-path" && mkfifo "$r/req" "$r/up" && ${write(BL_SCRIPT, '"$d/.bl/bin/bl"')} && chmod 755 "$d/.bl/bin/bl"; } || bl_end 1`,
    `{ ${write(JSON.stringify(attributes), '"$r/attributes"')} && ${write([...exports, own, ""].join("\n"), '"$r/environment"')}; } || bl_end 1`,
    "trap 'bl_end 0' HUP TERM; trap '' INT PIPE",
    `printf '\\n%s\\n%s\\n%s\\n' ${quote(readyMark(nonce))} "$d" "$r"`,
    "while read -r l; do :; done; bl_end 0",
  ]);
}

/** Waits for the answer of the script. @throws StagingError when the script ends before. */
function readPaths(channel: Channel, nonce: string): Promise<{ readonly directory: string; readonly runtime: string }> {
  const mark = `\n${readyMark(nonce)}\n`;
  let [text, words] = ["", ""];
  return new Promise((resolve, reject) => {
    channel.stdout.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString("utf8")).slice(-LONGEST_ANSWER);
      const [directory, runtime, rest] = text.split(mark)[1]?.split("\n") ?? [];
      if (directory !== undefined && runtime !== undefined && rest !== undefined) resolve({ directory, runtime });
    });
    channel.stderr.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString("utf8")).slice(-LONGEST_ANSWER);
    });
    void channel.ended.then(() => {
      const last = words.trim().split("\n").at(-1) ?? "";
      reject(new StagingError(`its files could not be written${last === "" ? "" : `: ${last}`}`));
    });
  });
}
