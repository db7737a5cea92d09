/** Ctrl-C: once to stop gracefully, twice to exit at once. The second one says what is left. */
import { EXIT } from "./exitCodes.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  readonly signal: AbortSignal;
  readonly interrupted: boolean;
  /** Restores the default handling of signals. */
  release(): void;
}

/**
 * Handles the signals that ask a command to stop.
 * @param announce called on the first signal.
 * @param leave called on the second one, right before the process exits.
 */
export function onInterrupt(announce: () => void, leave: () => void = () => undefined): Interruption {
  const controller = new AbortController();
  const handler = () => {
    if (controller.signal.aborted) {
      leave();
      process.exit(EXIT.interrupted);
    }
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
