/** Replies to programs, with the exit codes of `bl`. */
import type { BlReply } from "../../machines/coordination/blRequest.js";

export const BL_EXIT = { fine: 0, notSet: 1, usage: 2, unknown: 7, aborted: 8, timedOut: 9, noLauncher: 10 } as const;

export function done(value?: Buffer): BlReply {
  return value === undefined ? { code: BL_EXIT.fine } : { code: BL_EXIT.fine, value };
}

export function refusal(code: Exclude<BlReply["code"], 0>, message: string): BlReply {
  return { code, message };
}
