/** Proxies between the launcher and an sshd. */
import { connect, createServer, type AddressInfo, type Server } from "node:net";

import { within } from "../../../support/eventually.js";

export interface Port {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

async function listen(server: Server): Promise<Port> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    address: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await within("the port is closed", new Promise((resolve) => server.close(resolve)), 10_000);
    },
  };
}

/** Holds back what the server sends, and forwards it in bursts every `ms` milliseconds. */
export function coalescing(address: string, port: number, ms: number): Promise<Port> {
  return listen(
    createServer({ allowHalfOpen: true }, (client) => {
      const upstream = connect({ host: address, port });
      let held: Buffer[] = [];
      const flush = (): void => {
        if (held.length > 0) client.write(Buffer.concat(held));
        held = [];
      };
      const timer = setInterval(flush, ms);
      client.pipe(upstream);
      upstream.on("data", (chunk) => held.push(chunk));
      upstream.on("error", () => client.destroy());
      upstream.on("end", () => {
        flush();
        client.end();
      });
      client.on("close", () => {
        clearInterval(timer);
        upstream.destroy();
      });
    }),
  );
}

/** Lets a connection log in only when nobody else is logging in, as sshd with few MaxStartups does. */
export function limited(
  address: string,
  port: number,
  most: number,
): Promise<Port & { readonly refused: () => number }> {
  let [open, refused] = [0, 0];
  return listen(
    createServer((client) => {
      if (open >= most) {
        refused += 1;
        client.destroy();
        return;
      }
      open += 1;
      const upstream = connect({ host: address, port, noDelay: true });
      upstream.on("error", () => client.destroy());
      client.pipe(upstream).pipe(client);
      client.on("close", () => {
        open -= 1;
        upstream.destroy();
      });
      upstream.on("close", () => client.destroy());
    }),
  ).then((there) => ({ ...there, refused: () => refused }));
}

/** A port that speaks first, or answers whatever comes, and then stays silent or closes. */
export function speaking(
  words: string | Buffer,
  options: { readonly first: boolean; readonly close: boolean },
): Promise<Port> {
  return listen(
    createServer((client) => {
      const say = (): void => {
        if (options.close) client.end(words);
        else client.write(words);
      };
      if (options.first) say();
      else client.once("data", say);
      client.resume();
    }),
  );
}

/** A port that accepts connections and never says a word. */
export function silent(): Promise<Port> {
  return listen(createServer((client) => client.resume()));
}
