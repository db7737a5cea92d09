/**
 * The relay script: passes requests of `bl` to the launcher and returns the replies, over its own channel.
 * holderScript.ts lists the files that it uses.
 */
import { quote } from "../shell/quote.js";
import { endCoordination } from "./holderScript.js";
import { block, type ScriptContext } from "../shell/channelScript.js";

/** The prefix of the relay's first line. A login shell may print a greeting before it. */
export const relayMark = (nonce: string): string => `bl-talk ${nonce} `;

/**
 * Passes requests to standard output, each a line and a payload, and replies from standard input to the waiting
 * programs. "take-over": takes over from the holder without a gap. "anew": creates new FIFOs; programs that still wait
 * for a reply from an earlier relay notice the end of the old ones, and ask again.
 */
export function relayScript(context: ScriptContext, how: "take-over" | "anew"): string {
  const say = (word: string): string => `printf '\\n%s%s\\n' ${quote(relayMark(context.nonce))} ${word}`;
  return block([
    `umask 077; d=${quote(context.directory)}; case $d in /*) ;; *) d=\${HOME:?}/$d ;; esac`,
    // A removed step, or one without coordination, has no `bl` to serve.
    `{ cd "$d" && read -r r <.bl/rt-path && cd "$r" && [ -p req ] && [ -p up ]; } 2>/dev/null || { ${say("none")}; exit 0; }`,
    how === "anew"
      ? `${endCoordination}; : >first; rm -f over req.new up.new; mkfifo req.new up.new && mv -f req.new req && mv -f up.new up || exit 1`
      : ":",
    listener,
    // There is always a reader and a server: the previous one ends last.
    "exec 9<>up 3<>req",
    say("ready"),
    how === "take-over" ? endCoordination : ":",
    "{ exec 9>&-; bl_listen; } & k=$!; exec 3>&-; echo $$ $k >talk",
    taker,
    sweeper,
    // The status line is written after the value. A killed bl has no FIFO any more, or one that nobody reads: do not
    // block on either.
    'while read -r i c n m; do if [ -p "q.$i" ]; then o=v.$i; else o=/dev/null; fi',
    '[ "$n" = - ] || bl_take "$n" >"$o" || break',
    '[ "$o" = /dev/null ] || printf \'%s\\n\' "$c $m" 1<>"q.$i"; bl_sweep "$i:$c"; done',
    "kill -9 $k",
  ]);
}

/**
 * Reads requests. Invalid ones are dropped here; the launcher validates everything again. A sender may remove its
 * payload file while it is open.
 */
const listener = [
  "bl_pass() { set -f; set -- $l; [ $# -eq 7 ] || return 0",
  "case $1 in .*|*[!0-9.]*) return 0 ;; esac; case $7 in *[!0-9]*|?????????*) return 0 ;; esac",
  '[ "$7" -ne 0 ] || { printf \'%s\\n\' "$*"; return; }',
  '{ printf \'%s\\n\' "$*" && cat; } <"p.$1"; }',
  "bl_listen() { l=; [ ! -s first ] || read -r l <first; : >first; bl_pass",
  "while read -r l <&3; do bl_pass; done; }",
].join("\n");

/** Reads exactly the given number of bytes from standard input, which only dd guarantees. */
const taker = [
  "if dd bs=1 count=0 iflag=fullblock </dev/null >/dev/null 2>&1; then bl_take() { [ $1 -eq 0 ] || dd bs=$1 count=1 iflag=fullblock 2>/dev/null; }",
  "else bl_take() { dd ibs=1 count=$1 2>/dev/null; }; fi",
].join("\n");

/**
 * Removes the FIFOs of programs that left a barrier and did not remove them themselves, in batches of 32 to save
 * processes.
 */
const sweeper =
  'g= a=0; bl_sweep() { case $1 in *.0:0) g="$g q.${1%:0}" a=$((a+1)); [ $a -lt 32 ] || { rm -f $g; g= a=0; } ;; esac; }';
