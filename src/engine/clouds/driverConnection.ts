/** Connections that a driver makes to its own machines. */
import pTimeout from "p-timeout";

import { DriverError, type Driver, type MachineAccess } from "../../drivers/contract/driver.js";
import { ConnectionError, isConnectionError, type MachineConnection } from "../../machines/contract/connection.js";

export type DriverAccess = MachineAccess & { readonly kind: "driver" };

export interface DriverConnectionLimits {
  readonly timeoutMs: number;
  /** Aborted when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/**
 * Connects to a machine by its driver. A driver that heeds neither the time limit nor the signal is not waited for: a
 * connection that comes too late is closed.
 * @throws ConnectionError if it does not come; DriverError from a driver that never connects.
 */
export async function connectByDriver(
  driver: Driver,
  { cloud, id, data = null }: DriverAccess,
  { timeoutMs, signal }: DriverConnectionLimits,
): Promise<MachineConnection> {
  if (driver.connect === undefined)
    throw new DriverError(
      `the driver of cloud "${cloud}" gives its machines the access "driver", and does not connect to them`,
    );
  const name = `machine ${id} of cloud "${cloud}"`;
  const life = new AbortController();
  const attempt = driver.connect(id, { data, timeoutMs, signal: AbortSignal.any([signal, life.signal]) });
  try {
    const message = new ConnectionError(`${name} cannot be reached: no answer within ${timeoutMs / 1000} s`);
    return await pTimeout(attempt, { milliseconds: timeoutMs, signal, message });
  } catch (error) {
    life.abort();
    // What becomes of an attempt that was given up changes nothing.
    void attempt.then((late) => late.close()).catch(() => undefined);
    if (isConnectionError(error)) throw error;
    throw new ConnectionError(`${name} cannot be reached: ${(error as Error).message}`, { cause: error });
  }
}
