/**
 * Silent connections to all servers: when one ends, its server has died. A client that waits at a barrier notices too.
 */
import { connect } from "node:net";

/** @returns a promise that rejects when a connection ends, and a function that closes all: servers may end then. */
export function lifelines(servers) {
  let holds = true;
  const sockets = [];
  const lost = new Promise((_, reject) => {
    for (const [index, { host, port }] of servers.entries()) {
      const socket = connect({ host, port });
      let why = "its connection was closed";
      socket.on("error", (error) => {
        why = error.message;
      });
      socket.on("close", () => {
        if (holds) reject(new Error(`server ${index + 1} of ${servers.length} is gone: ${why}`));
      });
      socket.resume();
      sockets.push(socket);
    }
  });
  return {
    lost,
    letGo: () => {
      holds = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}
