/** Tells faults of this computer from faults of a machine: a full disk here must never boot or replace a machine. */
import { isSystemError } from "../../files/storageFailure.js";
import { isBootlevelError } from "../../errors/bootlevelError.js";
import { isOutputError } from "../../machines/contract/errors.js";
import { isConnectionError } from "../../machines/contract/connection.js";
import { isUnresolvedError } from "../attributes/attributes.js";
import { isNoMachineError } from "../run/machineAssignments.js";

/** Codes that only this computer's own limits and disks give, whatever the call. */
const OWN_CODES: ReadonlySet<string> = new Set([
  ...["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EADDRNOTAVAIL"],
  ...["ENOSPC", "EDQUOT", "EROFS", "EIO", "ENAMETOOLONG", "ELOOP"],
]);
/** Calls to the network, whose other failures may be the machine's. */
const NETWORK_CALLS: ReadonlySet<string> = new Set(["connect", "read", "write", "getaddrinfo", "shutdown"]);

/**
 * Whether a check failed for a reason on this computer: nothing is known of the machine then. Only what a machine or a
 * program did is a fault of theirs.
 */
export function isOwnFault(error: unknown): boolean {
  const causes = causesOf(error);
  if (causes.some((cause) => isSystemError(cause) && isOwnCall(cause))) return true;
  if (causes.some((cause) => isBootlevelError(cause, "STATE") || isBootlevelError(cause, "STORAGE"))) return true;
  return !(isConnectionError(error) || isOutputError(error) || isUnresolvedError(error) || isNoMachineError(error));
}

function isOwnCall({ code = "", syscall = "" }: NodeJS.ErrnoException): boolean {
  if (OWN_CODES.has(code)) return true;
  if (NETWORK_CALLS.has(syscall)) return false;
  return code === "EACCES" || code === "EPERM" || (code === "EAGAIN" && syscall.startsWith("spawn"));
}

/** The error and what caused it, outermost first. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let one = error; one instanceof Error && !causes.includes(one); one = one.cause) causes.push(one);
  return causes;
}
