/** Opens a shell on a machine of a run. */
import type { LoginOptions } from "./types.js";
import { watch, type HomeOption, type WatchOptions } from "./options.js";
import { withRun } from "./openRecord.js";

/**
 * Runs a shell, or one command, on the machine of a service. It uses the same keys, jump hosts and host key checks as
 * the service's programs, and starts in the directory of the boot program.
 * @returns the exit code of the shell or command.
 * @throws UnknownRunError, StateError for an unknown service or one without a machine
 */
export async function logIn(
  run: string,
  service: string,
  options: HomeOption & WatchOptions & Omit<LoginOptions, "service" | "observe" | "signal">,
): Promise<number> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/login.js")).logIn(store, record, { ...options, service, ...watch(options) }),
  );
}
