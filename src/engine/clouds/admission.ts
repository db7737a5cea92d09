/**
 * Machines that have let a launcher in may not let this one in: its address has changed, and their firewall names the
 * earlier one. The driver is asked once per cloud and command, and only when a machine does not answer.
 */
import type { Driver } from "../../drivers/contract/driver.js";
import { ConnectionError, isConnectionError } from "../../machines/contract/connection.js";
import type { Store } from "../../state/contract/store.js";

/** How long a machine may take to answer before its driver is asked, in milliseconds. */
const PATIENCE_MS = 5_000;

export interface AdmissionParts {
  readonly run: { readonly uid: string };
  readonly store: Store;
  readonly driver: (cloud: string) => Promise<Driver>;
  readonly warn: (message: string) => void;
}

/** A machine that is being connected to. */
export interface TriedMachine {
  readonly cloud: string;
  readonly host: string;
}

export class Admissions {
  private readonly asked = new Map<string, Promise<string | null>>();

  constructor(private readonly parts: AdmissionParts) {}

  /**
   * Waits for a connection. The attempt goes on meanwhile: it succeeds if the driver could let this computer in.
   * @throws what `connecting` throws, with what the driver found
   */
  async whileConnecting<T>(machine: TriedMachine, connecting: Promise<T>, signal: AbortSignal): Promise<T> {
    const timer = setTimeout(() => void this.ask(machine, signal), PATIENCE_MS);
    try {
      return await connecting;
    } catch (error) {
      if (!isConnectionError(error) || signal.aborted) throw error;
      const found = (await this.asked.get(machine.cloud)) ?? null;
      throw found === null ? error : new ConnectionError(`${error.message}; ${found}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private ask(machine: TriedMachine, signal: AbortSignal): Promise<string | null> {
    const known = this.asked.get(machine.cloud) ?? this.admit(machine, signal);
    this.asked.set(machine.cloud, known);
    return known;
  }

  private async admit({ cloud, host }: TriedMachine, signal: AbortSignal): Promise<string | null> {
    const { parts } = this;
    try {
      const driver = await parts.driver(cloud);
      const scope = { installation: await parts.store.installation(), run: parts.run.uid };
      const found = (await driver.admit?.(scope, host, signal)) ?? null;
      if (found !== null) parts.warn(found);
      return found;
    } catch (error) {
      if (signal.aborted) return null;
      return `whether its firewall lets this computer in is not known: ${(error as Error).message}`;
    }
  }
}
