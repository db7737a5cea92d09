/** Ends a stream to a machine at once, whatever the other side does. */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Destroys a TCP connection, or a stream through a jump host. ssh2 ends the latter only when the other side says
 * goodbye, which a frozen machine never does: whoever listens is told that it is closed now. ssh2's own
 * `Client.destroy` does nothing once the client has said goodbye.
 */
export function destroyStream(stream: Duplex): void {
  stream.destroy();
  if (!(stream instanceof Socket)) stream.emit("close");
}
