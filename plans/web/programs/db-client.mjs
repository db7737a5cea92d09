/** A client of db-server.mjs with one connection. It is opened when needed, and reopened after it was lost. */
import { connect } from "node:net";
import { createInterface } from "node:readline";

/**
 * @param {{ address: string, token: string, timeoutMs?: number }} options the address is host:port
 * @returns {{ ping(): Promise<void>, get(key: string): Promise<unknown>, set(key: string, value: unknown):
 *   Promise<void>, increment(key: string): Promise<number>, close(): void }}
 */
export function createClient({ address, token, timeoutMs = 3000 }) {
  let connection = null;

  async function ask(request) {
    if (connection === null || connection.destroyed) {
      connection = open(address, timeoutMs);
      const opened = connection;
      await opened.ask(`AUTH ${token}`).catch((error) => {
        opened.end();
        connection = null;
        throw error;
      });
    }
    return connection.ask(request);
  }

  return {
    ping: async () => void (await ask("PING")),
    get: async (key) => valueOf(await ask(`GET ${encodeURIComponent(key)}`)),
    set: async (key, value) => void (await ask(`SET ${encodeURIComponent(key)} ${JSON.stringify(value)}`)),
    increment: async (key) => valueOf(await ask(`INCR ${encodeURIComponent(key)}`)),
    close: () => connection?.end(),
  };
}

function valueOf(answer) {
  return answer === "NONE" ? undefined : JSON.parse(answer.slice("VALUE ".length));
}

/** One connection; the server answers in the order of the requests. */
function open(address, timeoutMs) {
  const colon = address.lastIndexOf(":");
  const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
  const waiting = [];
  const fail = (error) => {
    socket.destroy();
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  socket.setTimeout(
    timeoutMs,
    () => waiting.length > 0 && fail(new Error(`the database at ${address} did not answer in ${timeoutMs} ms`)),
  );
  socket.on("error", fail);
  socket.on("close", () => fail(new Error(`the database at ${address} closed the connection`)));
  const lines = createInterface({ input: socket });
  // readline repeats the socket's errors, and an error without a listener ends the process.
  lines.on("error", fail);
  lines.on("line", (line) => {
    const { resolve, reject } = waiting.shift();
    if (line.startsWith("ERROR ")) reject(new Error(`the database answered: ${line}`));
    else resolve(line);
  });
  return {
    get destroyed() {
      return socket.destroyed;
    },
    end: () => socket.end(),
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        socket.write(`${request}\n`);
      }),
  };
}
