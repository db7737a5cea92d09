/**
 * Transports messages between `bl` and the launcher on the machine. The runtime directory contains two FIFOs: `req` for
 * requests, and `up`, which the serving process holds open for writing, so that everybody who waits notices its end.
 * Other files: `first` (the request that the holder has read), `talk` (the pids of the holder or of the relay), and for
 * each bl `q.ID` (its answer FIFO), `p.ID` (what it sends), `v.ID` (what it gets).
 *
 * Until a program sends its first request, the *holder* waits for it. It is a shell that has to run anyway. At the
 * first request the launcher is notified and opens a channel for the *relay*, which takes over (relayScript.ts).
 */
/**
 * Runs in the runner before anything is started. Descriptor 8 is the channel's input. While descriptor 7 is open, the
 * holder knows that the runner lives.
 */
export const setUpCoordination = 'exec 8<&0 6<>"$r/req" 7>"$r/req" 6>&-';

/**
 * Descriptors that only the runner and the holder may have open. A shell that continues must close them by exec: bash
 * keeps a copy of what a redirection closes.
 */
export const closeCoordination = "7>&- 8<&-";

/**
 * The holder, after `work`: waits for a request and notifies the launcher. Then it waits until the relay kills it, or
 * for the launcher: a line on the channel's input means that no relay comes (which the file `over` tells to whoever
 * waits for one), the end of the input that there is no launcher now.
 */
export function holder(work: string, nonce: string): string {
  return [
    `{ exec 7>&-; ${work}; cd "$r" && read -r l <&3 && printf '%s\\n' "$l" >first && printf '\\nbl-call ${nonce} -\\n' >&2 && read -r l <&8 && : >over; }`,
    '3<"$r/req" 9<>"$r/up" >/dev/null & h=$!; echo $h >"$r/talk"',
  ].join(" ");
}

/**
 * Runs in the runner when the program has ended. It waits for the holder to end: later input of the channel is not for
 * the holder.
 */
export const endHolder = "{ kill -9 $h; wait $h; } 2>/dev/null";

/**
 * Kills whoever serves requests. The pid may have been reused, so the process must work in the runtime directory.
 * Starts no process.
 */
export const endCoordination = [
  'bl_quiet() { { read -r k l <"$r/talk"; } 2>/dev/null || return 0',
  'for k in $k $l; do { [ ! -d /proc/self ] || [ /proc/$k/cwd -ef "$r" ]; } && kill -9 $k 2>/dev/null; done; }; bl_quiet',
].join("; ");
