/** A run that has ended as one line for Nagios and its kin. Pure: result in, line out. */
import type { ServiceFailure } from "../model/events.js";
import { harmless, LONGEST_LINE, shorten, type NagiosState } from "./nagios.js";

export interface EndedRun {
  readonly run: string;
  /** Whether all was done, and nothing is left that should not be. */
  readonly well: boolean;
  readonly success: boolean;
  readonly boot: {
    readonly failures: readonly ServiceFailure[];
    readonly aborted: { readonly reason: string; readonly origin: string } | null;
    readonly state: string;
  };
  readonly ms: number;
}

/** OK when all is done and well; WARNING when only machines are left; else CRITICAL, with what failed first. */
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
  if (well) return "has done all that it is there for";
  if (success) return "has done all that it is there for, and machines of it are left";
  if (aborted !== null) return `was aborted by ${harmless(aborted.origin)}: ${harmless(aborted.reason)}`;
  const [first, ...others] = failures;
  if (first === undefined) return `has failed (${state})`;
  return `has failed: ${harmless(first.service)}: ${harmless(first.message)}${others.length === 0 ? "" : `; and ${others.length} more`}`;
}
