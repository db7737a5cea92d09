/** Lets the process end normally after its terminal went away. */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";

const DESCRIPTORS = [0, 1, 2] as const;

/**
 * Node restores the settings of its terminals when it ends, and aborts if a terminal no longer exists
 * (`node::ResetStdio`). It skips a descriptor that has become another file. So each terminal that has hung up is
 * replaced by /dev/null right before the end.
 */
export function surviveDeadTerminals(): void {
  const terminals = DESCRIPTORS.filter((descriptor) => isatty(descriptor));
  process.on("exit", () => {
    for (const descriptor of terminals) if (!isatty(descriptor)) replace(descriptor);
  });
}

/** The lowest free number is the one that was just closed: these three are open, and nothing else opens files now. */
function replace(descriptor: number): void {
  closeSync(descriptor);
  openSync("/dev/null", "r+");
}
