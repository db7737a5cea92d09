/** Opens a TCP connection to a machine. */
import { Socket } from "node:net";
import { ConnectionError } from "../contract/connection.js";

/**
 * Disables Nagle's algorithm, which costs 45 ms for each small exchange.
 * @throws ConnectionError on a timeout, an abort or a system error (in `cause`).
 */
export function connectTcp(host: string, port: number, limitMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const done = (error: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("error", onError);
      if (error === null) {
        // Covers the gap until the handshake listens: a connection that is reset meanwhile is a destroyed socket.
        socket.on("error", () => undefined);
        gatherWrites(socket);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new ConnectionError(error.message, { cause: error }));
    };
    const onError = (error: Error): void => {
      done(error instanceof AggregateError ? (error.errors[0] as Error) : error);
    };
    const onAbort = (): void => {
      done(new Error("cancelled"));
    };
    const timer = setTimeout(() => {
      done(new Error(`no answer within ${limitMs / 1000} s`));
    }, limitMs);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", onError);
    socket.setNoDelay(true);
    socket.connect({ host, port }, () => {
      done(null);
    });
  });
}

/**
 * Batches all writes of one event-loop turn. ssh2 writes packet by packet, and the system calls were the largest part
 * of a machine's cost on the launcher. The socket must be connected already: `connect` restores the usual `write`.
 */
function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...written: unknown[]) => boolean;
  socket.write = (...written: unknown[]) => {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => {
        socket.uncork();
      });
    }
    return write(...written);
  };
}
