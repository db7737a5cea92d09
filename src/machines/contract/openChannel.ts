/** Opens a channel on a machine that may never answer. */
import pTimeout from "p-timeout";

import type { Channel, MachineConnection } from "./connection.js";

/**
 * Like `connection.open`, but gives up when `signal` aborts. A channel that opens later is closed.
 * @throws the signal's reason, and as `connection.open`.
 */
export async function openChannel(
  connection: Pick<MachineConnection, "open">,
  command: string,
  signal: AbortSignal,
  options?: Parameters<MachineConnection["open"]>[1],
): Promise<Channel> {
  const opening = connection.open(command, options);
  try {
    return await pTimeout(opening, { milliseconds: Infinity, signal });
  } catch (error) {
    opening.then(
      (late) => {
        late.close();
      },
      () => undefined, // the failure is known
    );
    throw error;
  }
}
