/** How a test connects to a host that it does not trust. */
import { join } from "node:path";

import type { SshSettings } from "../../src/machines/ssh/settings.js";
import { makeKey, memoryPins } from "./sshHost.js";
import { temporaryDirectory } from "./temporaryDirectory.js";

/** The settings to log in there as "somebody", with a key of the test's own. */
export async function strangeHost(
  place: Pick<SshSettings, "host" | "port" | "connectTimeoutMs">,
): Promise<SshSettings> {
  const identity = join(temporaryDirectory(), "id");
  await makeKey(identity);
  return {
    ...place,
    user: "somebody",
    workDirectory: ".bootlevel",
    identities: [identity],
    passphraseEnv: null,
    env: process.env,
    agent: false,
    jump: null,
    hostKeys: "accept-new",
    knownHosts: "",
    keepaliveMs: 5_000,
    pins: memoryPins(),
    contact: null,
    ownKey: null,
  };
}
