/** Limits the memory that garbage may take. */
import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap grow by 30 % of the live size before garbage collection; V8's default is four times that size. A boot of
 * 10,000 services in one level then takes some 330 MB instead of 580 MB, for 7 % more CPU time. Only for the command: a
 * library leaves V8 settings to its host program.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString("--heap-growing-percent=30");
}
