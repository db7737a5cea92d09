/**
 * What is recorded of machines that were launched, as their connections need it: their host keys, and who is let in.
 */
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

/** Which machine of which cloud: the driver's id, and the key of the wish for it. */
export interface LaunchedHere {
  readonly cloud: string;
  readonly id: string;
  readonly key: string;
}

export interface ContactParts {
  readonly store: Store;
  /** Null for a command that writes nothing. */
  readonly writer: RunWriter | null;
  readonly driver: (cloud: string) => Promise<Driver>;
}

/** A machine's keys count wherever it is: this stands for the address. */
const ANYWHERE = "*";
/** Milliseconds between two questions to a cloud for what one machine's console shows. */
const CONSOLE_EVERY_MS = 15_000;

/**
 * The record of a first contact. One object a machine: it keeps the pace of questions to the cloud.
 * @param parts those of whoever uses the connection when they are asked for.
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
          throw new Error(`the host key of ${machine} was never pinned by a boot, and this command writes nothing`);
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
          `host_keys: console is not possible: the driver of cloud "${launched.cloud}" cannot tell what machines print on their consoles. Set known-hosts, accept-new or injected`,
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

/** A refusal will not become an answer by waiting. */
function unlessPassing(id: string, error: unknown): unknown {
  const passing = isCloudUnreachableError(error) || isThrottledError(error) || isLostReplyError(error);
  return passing || !isDriverError(error)
    ? error
    : new HostKeyError(
        `the console of machine ${id} cannot be read, and host_keys: console goes by it: ${error.message}`,
        "",
        [],
      );
}

/** The private half of the key that was made for the run, or null. */
export async function ownKey(store: Store, run: RunKey): Promise<string | null> {
  return (await store.runKey(run))?.privateKey ?? null;
}

/** An error of a machine that lets nobody in, with whom it was told to let in when it was launched. */
export async function explainRefusal(store: Store, error: unknown, launched: LaunchedHere): Promise<unknown> {
  // A bastion was there before: it was told nothing.
  if (!isAuthenticationError(error) || error.message.startsWith("jump host:")) return error;
  const authorized = await store.authorized(launched.key);
  if (authorized === null || authorized.length === 0) return error;
  const { fingerprint } = await import("../../machines/ssh/publicKeys.js");
  const keys = authorized.map(({ key, label }) => `${fingerprint(key)} (${label})`).join(", ");
  const agent = authorized.some(({ label }) => label.startsWith("the agent"))
    ? ". An agent's key must be in the agent of whoever runs a later command, too; cron has none: name a key file with ssh: { identity } before machines are launched"
    : "";
  return new AuthenticationError(
    `${error.message}${error.message.endsWith("?") ? "" : "."} The machine was launched with these keys, and lets in nobody else by itself: ${keys}${agent}`,
    { cause: error },
  );
}
