/** A TCP stream to a machine. */
import { Socket } from "node:net";
import { ConnectionError } from "../contract/connection.js";

/**
 * Without Nagle's algorithm: it would cost 45 ms for each small exchange. Throws `ConnectionError`, its cause the
 * system's own.
 */
export function connectTcp(host: string, port: number, limitMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const done = (error: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("error", onError);
      if (error === null) {
        // Until the handshake listens: a connection that is reset meanwhile shows as destroyed.
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
      done(new Error("given up"));
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
 * Lets what is written in one turn of the event loop go out together: ssh2 writes packet by packet, and handing each to
 * the system was the largest part of what a machine cost the launcher. Only for a connected socket: `connect` puts the
 * usual `write` back.
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
