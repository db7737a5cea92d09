/** Opens a channel for a script. The first one to a machine shows whether programs can run there at all. */
import type { Channel, MachineConnection } from "../contract/connection.js";
import { ConnectionLostError } from "../contract/connection.js";
import { openChannel } from "../contract/openChannel.js";
import { StagingError } from "../contract/errors.js";
import { channelCommand } from "./channelScript.js";
import { probeCommand, probeShell, shellProblem } from "./shellProbe.js";

export interface OpenShellOptions {
  readonly urgent?: boolean;
  /** Aborted when nobody wants the channel any more: the script is not sent then. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a channel whose shell reads `script` from its input. The caller sends it. On a machine that nothing is known of
 * yet, the shell says a few words first: a script on a machine whose answers get lost would be a program whose end
 * nobody learns.
 * @throws StagingError that says in one sentence what is wrong with the machine's shell; ConnectionLostError
 */
export async function openShell(
  connection: MachineConnection,
  script: string,
  { urgent = false, signal }: OpenShellOptions = {},
): Promise<Channel> {
  const { shell } = connection;
  const open = (command: string): Promise<Channel> =>
    signal === undefined ? connection.open(command, { urgent }) : openChannel(connection, command, signal, { urgent });
  if (shell === undefined || shell.proven) return open(channelCommand(script));
  const channel = await open(probeCommand(script));
  const stop = (): void => {
    channel.close();
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    if (signal?.aborted === true) stop();
    const finding = await probeShell(channel);
    if (finding.end?.kind === "lost") throw new ConnectionLostError(`${connection.label}: ${finding.end.reason}`);
    const problem = shellProblem(finding);
    if (problem !== null) throw new StagingError(`${connection.label}: ${problem}`);
    shell.proven = true;
    if (!finding.inputClosed) return channel;
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  // Its start-up files are slow, no more: the channel's input was closed to find that out.
  channel.close();
  return open(channelCommand(script));
}
