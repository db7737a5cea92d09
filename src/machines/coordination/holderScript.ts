/**
 * What carries the words between `bl` and the launcher on the machine, by two FIFOs of the runtime directory: `req`,
 * for requests, and `up`, which whoever serves holds open for writing, so that its end is heard by everybody who waits.
 * Files there: `first` (the request that the holder has read), `talk` (pids of the holder, or of the relay), and of
 * each bl `q.ID` (its answer FIFO), `p.ID` (what it sends), `v.ID` (what it gets).
 *
 * Until a program talks, the *holder* waits, a shell that had to be started anyway. At the first request the launcher
 * is told and opens a channel for the *relay*, which takes over (relayScript.ts).
 */
/**
 * In the runner, before anything is started: 8 is the channel's input, and while 7 is open the holder knows that the
 * runner lives.
 */
export const setUpCoordination = 'exec 8<&0 6<>"$r/req" 7>"$r/req" 6>&-';

/**
 * What nobody but the runner and the holder may have open. A shell that goes on must close it by exec: bash keeps a
 * copy of what a redirection closes.
 */
export const closeCoordination = "7>&- 8<&-";

/**
 * What the holder does after `work`: waits for a request and tells the launcher. Then it waits for the relay to end it,
 * or for the launcher: a line on the channel's input says that no relay comes, its end that there is no launcher.
 */
export function holder(work: string, nonce: string): string {
  return [
    `{ exec 7>&-; ${work}; cd "$r" && read -r l <&3 && printf '%s\\n' "$l" >first && printf '\\nbl-call ${nonce} -\\n' >&2 && read -r l <&8; }`,
    '3<"$r/req" 9<>"$r/up" >/dev/null & h=$!; echo $h >"$r/talk"',
  ].join(" ");
}

/**
 * In the runner when the program has ended. It is waited for: what comes on the channel's input now is not for the
 * holder.
 */
export const endHolder = "{ kill -9 $h; wait $h; } 2>/dev/null";

/**
 * Ends whoever serves. Its pid may be another's by now: it is the one that works in the runtime directory. No process
 * is started for this.
 */
export const endCoordination = [
  'bl_quiet() { { read -r k l <"$r/talk"; } 2>/dev/null || return 0',
  'for k in $k $l; do { [ ! -d /proc/self ] || [ /proc/$k/cwd -ef "$r" ]; } && kill -9 $k 2>/dev/null; done; }; bl_quiet',
].join("; ");
