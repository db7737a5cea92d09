/** How much memory the command takes for what it need not keep. */
import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap grow to twice what is in use before it is cleared of the rest; V8 would wait for four times. A boot of
 * 10,000 services in one level then takes 350 MB at most instead of 540, for a tenth more processor time. For the
 * command alone: a library leaves such things to its program.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString("--heap-growing-percent=100");
}
