/**
 * Many SSH hosts from one sshd: it listens on every address 127.77.x.y, so hundreds of hosts need the memory of one.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { startSshHost } from "../../test/support/sshHost.js";
import { temporaryFolder } from "./simulated.js";

const run = promisify(execFile);

export interface SshHosts {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly user: string;
  /** Files of the client: the private key, and a known_hosts file with a line per host. */
  readonly identity: string;
  readonly knownHosts: string;
  /** The home directory of the hosts' common user, in memory. */
  readonly home: string;
}

/** Provides hosts to `work`. Afterwards, sshd and all of its processes are ended, even after a failure. */
export async function withSshHosts<T>(count: number, work: (hosts: SshHosts) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  // sshd's files are deleted with the folder, even if the benchmark is interrupted.
  process.env["TMPDIR"] = folder;
  const home = join(folder, "home");
  mkdirSync(home, { mode: 0o700 });
  const host = await startSshHost({ address: "0.0.0.0", config: `AllowUsers *@127.*\nSetEnv "HOME=${home}"` });
  const sshd = Number(readFileSync(join(host.directory, "pid"), "utf8"));
  // Clean up after an interruption too.
  const end = (): void => {
    process.kill(sshd, "SIGTERM");
  };
  const endAll = (): void => {
    end();
    process.exit(130);
  };
  process.once("exit", end);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, endAll);
  try {
    const addresses = Array.from(
      { length: count },
      (_, index) => `127.77.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    );
    const knownHosts = join(folder, "known_hosts");
    writeFileSync(knownHosts, addresses.map((address) => `[${address}]:${host.port} ${host.hostKey}\n`).join(""));
    return await work({ addresses, port: host.port, user: host.user, identity: host.identity, knownHosts, home });
  } finally {
    process.removeListener("exit", end);
    await host.stop();
  }
}

/**
 * Runs a local command and discards its output.
 * @returns seconds. Rejects if it fails.
 */
export async function timed(
  command: string,
  words: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  const began = performance.now();
  await run(command, [...words], { ...options, maxBuffer: 64 * 1024 * 1024 });
  return (performance.now() - began) / 1000;
}

export async function isInstalled(command: string): Promise<boolean> {
  return run("/bin/sh", ["-c", 'command -v "$1"', "sh", command]).then(
    () => true,
    () => false,
  );
}
