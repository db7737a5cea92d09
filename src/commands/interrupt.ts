/** Ctrl-C: once to stop in order, twice to leave at once. */
import { EXIT } from "./exitCodes.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  readonly signal: AbortSignal;
  readonly interrupted: boolean;
  /** Gives the signals back. */
  release(): void;
}

/**
 * Takes the signals that ask a command to stop.
 * @param announce is called at the first one.
 */
export function onInterrupt(announce: () => void): Interruption {
  const controller = new AbortController();
  const handler = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
    announce();
  };
  for (const signal of SIGNALS) process.on(signal, handler);
  return {
    signal: controller.signal,
    get interrupted() {
      return controller.signal.aborted;
    },
    release() {
      for (const signal of SIGNALS) process.off(signal, handler);
    },
  };
}
