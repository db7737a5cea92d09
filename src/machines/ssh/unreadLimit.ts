/**
 * Limits what a machine may send before it is read. SSH has a window for that, but ssh2 keeps whatever comes beyond it in
 * memory.
 */
import type { Readable } from "node:stream";

/** Four times ssh2's window, in bytes. */
const MOST_UNREAD = 8 * 1024 * 1024;

/** Calls `onExceeded` once when a stream holds more than that. Nothing more is added to it then. */
export function limitUnread(stream: Readable, onExceeded: () => void): void {
  const push = stream.push.bind(stream);
  let exceeded = false;
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null || stream.readableLength <= MOST_UNREAD) return !exceeded && push(chunk, encoding);
    if (!exceeded) {
      exceeded = true;
      onExceeded();
    }
    return false;
  };
}
