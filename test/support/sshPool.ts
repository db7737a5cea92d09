/** Several sshd hosts that let one key in, as the pool of a cloud `existing`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeKey, startSshHost, type SshHost } from "./sshHost.js";

export interface SshPool {
  readonly hosts: readonly SshHost[];
  /** The head of a plan whose services get these hosts. */
  readonly head: string;
  readonly host: (address: string) => SshHost;
  /** Makes the known key of every host one that none of them has. */
  readonly forgetKeys: () => Promise<void>;
  stop(): Promise<void>;
}

/** @param config lines of sshd_config */
export async function startSshPool(size: number, config = ""): Promise<SshPool> {
  const directory = mkdtempSync(join(tmpdir(), "bl-pool-"));
  const identity = join(directory, "id_ed25519");
  const knownHosts = join(directory, "known_hosts");
  await makeKey(identity);
  const hosts: SshHost[] = [];
  while (hosts.length < size) hosts.push(await startSshHost({ identity, config }));
  const know = (key: (host: SshHost) => string) =>
    writeFileSync(knownHosts, hosts.map((host) => `[${host.address}]:${host.port} ${key(host)}\n`).join(""));
  know(({ hostKey }) => hostKey);
  const entries = hosts
    .map(({ address, port, user }) => `{ host: ${address}, port: ${port}, user: ${user} }`)
    .join(", ");
  return {
    hosts,
    head: `clouds: { rack: { driver: existing, hosts: [${entries}] } }\ndefaults: { ssh: { identity: "${identity}", known_hosts: "${knownHosts}", agent: false, connect_timeout: 2s } }\n`,
    host: (address) => hosts.find((host) => host.address === address) as SshHost,
    async forgetKeys() {
      const foreign = join(directory, "foreign");
      await makeKey(foreign);
      const key = readFileSync(`${foreign}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
      know(() => key);
    },
    async stop() {
      for (const host of hosts) await host.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
