/** Waits for a server. */
import { connect } from "node:net";

import { eventually } from "./eventually.js";

/**
 * Resolves when something answers there. @throws after 30 seconds, with `log`: what the server wrote so far; and what
 * `failure` throws, which is asked between tries.
 */
export async function listening(
  address: string,
  port: number,
  log: () => string,
  failure: () => void = () => undefined,
): Promise<void> {
  await eventually(
    `something listens at ${address}:${port}`,
    () => {
      failure();
      return answers(address, port);
    },
    30_000,
    log,
  );
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
}
