/**
 * The relay: what passes requests of `bl` to the launcher and answers back, over a channel of its own. The files that
 * it knows stand in talkScripts.ts.
 */
import { quote } from "../shell/quote.js";
import { endCoordination } from "./holderScript.js";
import { block, type ScriptContext } from "../shell/channelScript.js";

/** The line that the relay begins with; before it, a login shell may have greeted. */
export const relayMark = (nonce: string): string => `bl-talk ${nonce} `;

/**
 * Passes requests to standard output, a line and so many bytes, and answers from standard input to those who wait,
 * until that ends. "take-over": from the holder, without anybody noticing. "anew": whoever still waits for an answer of
 * an earlier relay would wait for ever, so it gets FIFOs of its own, and the end of the old ones is heard.
 */
export function relayScript(context: ScriptContext, how: "take-over" | "anew"): string {
  const say = (word: string): string => `printf '\\n%s%s\\n' ${quote(relayMark(context.nonce))} ${word}`;
  return block([
    `umask 077; d=${quote(context.directory)}; case $d in /*) ;; *) d=\${HOME:?}/$d ;; esac`,
    // A step of before, or one that has been removed, has nobody who talks.
    `{ cd "$d" && read -r r <.bl/rt-path && cd "$r" && [ -p req ] && [ -p up ]; } 2>/dev/null || { ${say("none")}; exit 0; }`,
    how === "anew"
      ? `${endCoordination}; : >first; rm -f req.new up.new; mkfifo req.new up.new && mv -f req.new req && mv -f up.new up || exit 1`
      : ":",
    listener,
    // Who reads and who serves is always somebody, and the one who was before ends last.
    "exec 9<>up 3<>req",
    say("ready"),
    how === "take-over" ? endCoordination : ":",
    "{ exec 9>&-; bl_listen; } & k=$!; exec 3>&-; echo $$ $k >talk",
    taker,
    sweeper,
    // An answer is told when it lies there. Who was killed meanwhile has no FIFO any more, or one that nobody reads:
    // neither is waited for.
    'while read -r i c n m; do if [ -p "q.$i" ]; then o=v.$i; else o=/dev/null; fi',
    '[ "$n" = - ] || bl_take "$n" >"$o" || break',
    '[ "$o" = /dev/null ] || printf \'%s\\n\' "$c $m" 1<>"q.$i"; bl_sweep "$i:$c"; done',
    "kill -9 $k",
  ]);
}

/**
 * Reads requests. What cannot be one goes nowhere; the launcher checks it all again. A payload that is open may be
 * removed by who sent it.
 */
const listener = [
  "bl_pass() { set -f; set -- $l; [ $# -eq 7 ] || return 0",
  "case $1 in .*|*[!0-9.]*) return 0 ;; esac; case $7 in *[!0-9]*|?????????*) return 0 ;; esac",
  '[ "$7" -ne 0 ] || { printf \'%s\\n\' "$*"; return; }',
  '{ printf \'%s\\n\' "$*" && cat; } <"p.$1"; }',
  "bl_listen() { l=; [ ! -s first ] || read -r l <first; : >first; bl_pass",
  "while read -r l <&3; do bl_pass; done; }",
].join("\n");

/** Takes so many bytes of standard input and not one more, which only dd promises. */
const taker = [
  "if dd bs=1 count=0 iflag=fullblock </dev/null >/dev/null 2>&1; then bl_take() { [ $1 -eq 0 ] || dd bs=$1 count=1 iflag=fullblock 2>/dev/null; }",
  "else bl_take() { dd ibs=1 count=$1 2>/dev/null; }; fi",
].join("\n");

/**
 * Takes away what those leave who were let go at a barrier, and had no time for that: many at a time, so that it costs
 * next to nothing.
 */
const sweeper =
  'g= a=0; bl_sweep() { case $1 in *.0:0) g="$g q.${1%:0}" a=$((a+1)); [ $a -lt 32 ] || { rm -f $g; g= a=0; } ;; esac; }';
