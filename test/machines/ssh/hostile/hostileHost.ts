/**
 * A host that an administrator has set up in his own way: a real sshd in a mount namespace, where the user, the home
 * directory and everything that the lines of a test change are the host's own.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { SshSettings } from "../../../../src/machines/ssh/settings.js";
import { exitOf } from "../../../support/children.js";
import { freePort } from "../../../support/freePort.js";
import { listening } from "../../../support/listening.js";
import { makeKey, memoryPins } from "../../../support/sshHost.js";

export interface HostileOptions {
  /** Lines of sshd_config. */
  readonly config?: string;
  /** Files of the home directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The login shell; default /bin/bash, which reads ~/.bashrc under sshd. */
  readonly shell?: string;
  /** Lines of sh that run as root in the host's namespace before sshd starts; $H is the home directory. */
  readonly prepare?: readonly string[];
}

export interface HostileHost {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly identity: string;
  /** The home directory, as the host's own processes call it. */
  readonly home: string;
  /** What sshd wrote so far. */
  log(): string;
  settings(change?: Partial<SshSettings>): SshSettings;
  /** Settings that reach the host through a proxy. */
  through(proxy: { readonly address: string; readonly port: number }, change?: Partial<SshSettings>): SshSettings;
  stop(): Promise<void>;
}

const USER = "guest";
const ID = 54_321;

export async function startHostileHost(options: HostileOptions = {}): Promise<HostileHost> {
  const directory = mkdtempSync(join(tmpdir(), "bl-hostile-"));
  chmodSync(directory, 0o755);
  const random = () => 1 + Math.floor(Math.random() * 253);
  const address = `127.${random()}.${random()}.${random()}`;
  const port = await freePort(address);
  const [identity, hostKeyFile, home] = ["id_ed25519", "host_key", "home"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await makeKey(identity);
  await makeKey(hostKeyFile);
  writeFileSync(join(directory, "authorized_keys"), readFileSync(`${identity}.pub`));
  mkdirSync(home);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(home, name), text);
  writeFileSync(join(directory, "sshd_config"), sshdConfig(directory, `${address}:${port}`, options.config ?? ""));
  writeFileSync(join(directory, "start"), startScript(directory, home, options));
  const sshd = spawn("unshare", ["-m", "/bin/sh", join(directory, "start")], { stdio: "ignore", detached: true });
  const log = () =>
    ["start.log", "sshd.log"]
      .map((name) => join(directory, name))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("");
  await listening(address, port, log, () => {
    if (sshd.exitCode !== null || sshd.signalCode !== null) throw new Error(`the host did not start: ${log()}`);
  });
  const hostKey = readFileSync(`${hostKeyFile}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
  const knownHosts = join(directory, "known_hosts");
  writeFileSync(knownHosts, `[${address}]:${port} ${hostKey}\n`);
  const settings = (change: Partial<SshSettings> = {}): SshSettings => ({
    host: address,
    port,
    user: USER,
    workDirectory: ".bootlevel/runs/r-test",
    identities: [identity],
    passphraseEnv: null,
    env: { HOME: directory },
    agent: false,
    jump: null,
    hostKeys: "known-hosts",
    knownHosts,
    connectTimeoutMs: 10_000,
    keepaliveMs: 5_000,
    pins: memoryPins(),
    contact: null,
    ownKey: null,
    ...change,
  });
  return {
    address,
    port,
    user: USER,
    directory,
    identity,
    home,
    log,
    settings,
    through(proxy, change = {}) {
      const known = join(directory, `known_hosts-${proxy.port}`);
      writeFileSync(known, `[${proxy.address}]:${proxy.port} ${hostKey}\n`);
      return settings({ host: proxy.address, port: proxy.port, knownHosts: known, ...change });
    },
    async stop() {
      // A process group of its own: sshd, its sessions have groups of theirs.
      process.kill(-(sshd.pid as number), "SIGTERM");
      await exitOf(`sshd of ${directory}`, sshd);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function sshdConfig(directory: string, listen: string, config: string): string {
  return [
    // sshd goes by the first value of a setting.
    config,
    `ListenAddress ${listen}`,
    `HostKey ${join(directory, "host_key")}`,
    `AuthorizedKeysFile ${join(directory, "authorized_keys")}`,
    "PidFile none",
    "UsePAM no",
    "StrictModes no",
    "UseDNS no",
    "LogLevel VERBOSE",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PrintMotd no",
    "PrintLastLog no",
    "",
  ].join("\n");
}

function startScript(directory: string, home: string, { shell = "/bin/bash", prepare = [] }: HostileOptions): string {
  return [
    `exec >>'${directory}/start.log' 2>&1; set -e; H='${home}'`,
    "mount -t tmpfs -o mode=755 none /run; mkdir /run/sshd",
    // The files as they are here, with one more user.
    "for f in passwd shadow group; do cp /etc/$f /run/$f; done",
    `echo '${USER}:x:${ID}:${ID}::${home}:${shell}' >>/run/passwd`,
    `echo '${USER}:*:19000:0:99999:7:::' >>/run/shadow`,
    `echo '${USER}:x:${ID}:' >>/run/group`,
    "for f in passwd shadow group; do mount --bind /run/$f /etc/$f; done",
    `chown -R ${ID}:${ID} "$H"`,
    ...prepare,
    `exec /usr/sbin/sshd -D -f '${directory}/sshd_config' -E '${directory}/sshd.log'`,
    "",
  ].join("\n");
}
