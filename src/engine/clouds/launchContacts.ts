/** The keys that new machines authorize. They are chosen and recorded before the launch request. */
import { makeKeyPair } from "../../machines/ssh/keyPair.js";
import type { Contact, Driver, LaunchOutcome, LaunchRequest } from "../../drivers/contract/driver.js";
import { isAuthenticationError } from "../../machines/contract/connection.js";
import type { SshSpec } from "../../plan/launchPlan/launchPlan.js";
import type { AuthorizedKey } from "../../state/contract/contacts.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { RunKey, Store } from "../../state/contract/store.js";

export interface LaunchContactsParts {
  readonly store: Store;
  readonly run: RunKey & { readonly name: string };
  readonly writer: RunWriter | null;
  /** How a service's machine is reached. */
  readonly ssh: (service: string) => SshSpec | null;
}

/** Wraps a driver: each launch request gets what the machine needs for its first connection. */
export function withContacts(driver: Driver, parts: LaunchContactsParts): Driver {
  return {
    ...driver,
    async launch(requests, signal) {
      const given: LaunchRequest[] = [];
      const failed: LaunchOutcome[] = [];
      for (const request of requests) {
        try {
          given.push({ ...request, contact: await contactOf(request, parts) });
        } catch (error) {
          // This machine was never requested: a requested one has its keys in the record.
          if (!isAuthenticationError(error)) throw error;
          failed.push({ key: request.key, kind: "failed", error, leftover: null });
        }
      }
      const launched = given.length === 0 ? [] : await driver.launch(given, signal);
      const outcomes = new Map([...failed, ...launched].map((outcome) => [outcome.key, outcome]));
      return requests.flatMap(({ key }) => outcomes.get(key) ?? []);
    },
  };
}

/** Retries of a request get the same keys: a cloud may treat a changed request as one for another machine. */
async function contactOf({ key, mark }: LaunchRequest, parts: LaunchContactsParts): Promise<Contact | null> {
  const ssh = parts.ssh(mark.service);
  if (ssh === null) return null;
  let keys = await parts.store.authorized(key);
  if (keys === null) {
    keys = await keysOf(ssh, parts);
    await parts.writer?.write({ kind: "authorized", key, keys });
  }
  return { authorizedKeys: keys.map((one) => one.key), hostKey: ssh.hostKeys === "injected" };
}

async function keysOf(ssh: SshSpec, { store, run, writer }: LaunchContactsParts): Promise<AuthorizedKey[]> {
  const { publicKeys } = await import("../../machines/ssh/publicKeys.js");
  const theirs = await publicKeys({ ...ssh, env: store.env });
  if (theirs.length > 0) return theirs;
  // Without any key, nobody could log in. bootlevel creates its own key, which is on disk before any machine has it.
  if ((await store.runKey(run)) === null)
    await writer?.write({ kind: "run-key", pair: makeKeyPair(`bootlevel ${run.name}`) });
  const own = await store.runKey(run);
  return own === null ? [] : [{ key: own.publicKey, label: "made for this run" }];
}
