/** Recorded data of launched machines for their connections: host keys and authorized keys. */
import {
  isCloudUnreachableError,
  isDriverError,
  isLostReplyError,
  isThrottledError,
  type Driver,
  type FirstContact,
} from "../../drivers/contract/driver.js";
import { AuthenticationError, isAuthenticationError, HostKeyError } from "../../machines/contract/connection.js";
import type { MachineContact } from "../../machines/ssh/settings.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { RunKey, Store } from "../../state/contract/store.js";

/** The machine and its cloud: the driver's id, and the key of its launch request. */
export interface LaunchedHere {
  readonly cloud: string;
  readonly id: string;
  readonly key: string;
}

export interface ContactParts {
  readonly store: Store;
  /** Null for a read-only command. */
  readonly writer: RunWriter | null;
  readonly driver: (cloud: string) => Promise<Driver>;
}

/** A machine's host keys do not depend on its address: this replaces the address. */
const ANYWHERE = "*";
/** The poll interval for a machine's console, in milliseconds. */
const CONSOLE_EVERY_MS = 15_000;

/**
 * Recorded data of a first connection. One object per machine: it limits the rate of console requests.
 * @param parts the data of the current user of the connection.
 */
export function machineContact(
  parts: () => ContactParts,
  { machine, hostKeys }: FirstContact,
  launched: LaunchedHere,
): MachineContact {
  let askAgainAt = 0;
  return {
    hostKeys,
    get mayChange() {
      return parts().writer !== null;
    },
    pins: {
      find: () => parts().store.hostKeys(machine, ANYWHERE),
      pin: async (_address, key) => {
        const { writer } = parts();
        if (writer === null)
          throw new Error(`the host key of ${machine} was never pinned by a boot, and this command is read-only`);
        await writer.write({ kind: "host-key", scope: machine, address: ANYWHERE, key });
      },
    },
    finished: async () => (await parts().store.contact(machine)).has("trusted"),
    finish: async () => {
      await parts().writer?.write({ kind: "contact", machine, stage: "trusted" });
    },
    async fingerprints(signal) {
      const { store, driver } = parts();
      const cloud = await driver(launched.cloud);
      if (cloud.hostKeyFingerprints === undefined) {
        throw new HostKeyError(
          `host_keys: console is not possible: the driver of cloud "${launched.cloud}" cannot read the consoles of machines. Set known-hosts, accept-new or injected`,
          "",
          [],
        );
      }
      if (store.clock.now() < askAgainAt) return null;
      askAgainAt = store.clock.now() + CONSOLE_EVERY_MS;
      return cloud.hostKeyFingerprints(launched.id, signal).catch((error: unknown) => {
        throw unlessPassing(launched.id, error);
      });
    },
  };
}

/** A refusal is permanent: waiting does not help. */
function unlessPassing(id: string, error: unknown): unknown {
  const passing = isCloudUnreachableError(error) || isThrottledError(error) || isLostReplyError(error);
  return passing || !isDriverError(error)
    ? error
    : new HostKeyError(
        `the console of machine ${id} cannot be read, and host_keys: console needs it: ${error.message}`,
        "",
        [],
      );
}

/** The private key that was created for the run, or null. */
export async function ownKey(store: Store, run: RunKey): Promise<string | null> {
  return (await store.runKey(run))?.privateKey ?? null;
}

/**
 * Adds the keys that the machine was launched with to an error of authentication. Other errors are returned unchanged.
 */
export async function explainRefusal(store: Store, error: unknown, launched: LaunchedHere): Promise<unknown> {
  // A jump host was not launched with these keys.
  if (!isAuthenticationError(error) || error.message.startsWith("jump host:")) return error;
  const authorized = await store.authorized(launched.key);
  if (authorized === null || authorized.length === 0) return error;
  const { fingerprint } = await import("../../machines/ssh/publicKeys.js");
  const keys = authorized.map(({ key, label }) => `${fingerprint(key)} (${label})`).join(", ");
  const agent = authorized.some(({ label }) => label.startsWith("the agent"))
    ? ". A later command needs the agent's key in its own agent too; cron has no agent: name a key file with ssh: { identity } before machines are launched"
    : "";
  return new AuthenticationError(
    `${error.message}${error.message.endsWith("?") ? "" : "."} The machine was launched with these keys, and authorizes no others by itself: ${keys}${agent}`,
    { cause: error },
  );
}
