/** The result of an ended run as one line for Nagios and compatible monitors. Pure. */
import type { ServiceFailure } from "../model/events.js";
import { groupByCause } from "../model/failures.js";
import { followerLines, whatHappened } from "./failure.js";
import { harmless, LONGEST_LINE, shorten, type NagiosState } from "./nagios.js";

export interface EndedRun {
  readonly run: string;
  /** Whether every execute program passed and no machine is left that should have ended. */
  readonly well: boolean;
  readonly success: boolean;
  readonly boot: {
    readonly failures: readonly ServiceFailure[];
    readonly aborted: { readonly reason: string; readonly origin: string } | null;
    readonly state: string;
  };
  readonly ms: number;
}

/** OK on success; WARNING if only machines are left; otherwise CRITICAL, with the failure that caused the others. */
export function nagiosRunLine({ run, well, success, boot, ms }: EndedRun): { state: NagiosState; line: string } {
  const state: NagiosState = well ? "OK" : success ? "WARNING" : "CRITICAL";
  const data = `time=${(Math.max(0, ms) / 1000).toFixed(3)}s;;;0 failed=${boot.failures.length};;;0`;
  const text = shorten(
    `BOOTLEVEL ${state} - ${harmless(run)} ${words(well, success, boot)}`,
    LONGEST_LINE - Buffer.byteLength(data) - " | ".length,
  );
  return { state, line: `${text} | ${data}` };
}

function words(well: boolean, success: boolean, { failures, aborted, state }: EndedRun["boot"]): string {
  if (well) return "succeeded";
  if (success) return "succeeded, but machines are left";
  // With `on_failure`, the first failure is the cause.
  if (aborted !== null && (aborted.origin !== "on_failure" || failures.length === 0))
    return `was aborted by ${harmless(aborted.origin)}: ${harmless(aborted.reason)}`;
  const [first, ...others] = groupByCause(failures);
  if (first === undefined) return `failed (${state})`;
  const more = others.reduce((sum, { followers }) => sum + 1 + followers.length, 0);
  return [
    `failed: ${harmless(first.root.service)}: ${harmless(whatHappened(first.root))}`,
    ...followerLines(first).map(harmless),
    ...(more === 0 ? [] : [`and ${more} more`]),
  ].join("; ");
}
