/**
 * A real sshd on a loopback address of its own, with its own host keys, and a TCP proxy that breaks connections on
 * command.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { HostKeyPins, SshSettings } from "../../src/machines/ssh/settings.js";
import { exitOf } from "./children.js";
import { within } from "./eventually.js";
import { freePort } from "./freePort.js";
import { listening } from "./listening.js";

const run = promisify(execFile);

export interface SshHost {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Everything of this host lies in here; also where its steps go. */
  readonly directory: string;
  /** The client's private key, which the host accepts. */
  readonly identity: string;
  /** A known_hosts file with this host's key. */
  readonly knownHosts: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** What sshd wrote so far. */
  log(): Promise<string>;
  /** Settings that reach this host. */
  settings(change?: Partial<SshSettings>): SshSettings;
  /** Stops sshd and its sessions as they are: connections stay open, and nobody answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** How many processes sshd has for its connections. */
  sessions(): Promise<number>;
  stop(): Promise<void>;
}

/** Pins that live in memory. */
export function memoryPins(): HostKeyPins & { readonly pinned: Map<string, string[]> } {
  const pinned = new Map<string, string[]>();
  return {
    pinned,
    find: async (address) => pinned.get(address) ?? [],
    pin: async (address, key) => {
      pinned.set(address, [...(pinned.get(address) ?? []), key]);
    },
  };
}

const random = (): number => 1 + Math.floor(Math.random() * 253);

/**
 * Starts sshd (root needed). `config` is added to its configuration; `environment` is what its users' programs get
 * besides.
 */
export async function startSshHost(
  options: { readonly config?: string; readonly address?: string; readonly identity?: string } = {},
): Promise<SshHost> {
  const directory = mkdtempSync(join(tmpdir(), "bl-sshd-"));
  const address = options.address ?? `127.${random()}.${random()}.${random()}`;
  const port = await freePort(address);
  const user = userInfo().username;
  const identity = options.identity ?? join(directory, "id_ed25519");
  await makeKey(join(directory, "host_key"));
  if (options.identity === undefined) await makeKey(identity);
  await writeFile(join(directory, "authorized_keys"), await readFile(`${identity}.pub`));
  const log = join(directory, "sshd.log");
  await writeFile(
    join(directory, "sshd_config"),
    [
      `ListenAddress ${address}:${port}`,
      `HostKey ${join(directory, "host_key")}`,
      `AuthorizedKeysFile ${join(directory, "authorized_keys")}`,
      `PidFile ${join(directory, "pid")}`,
      "UsePAM no",
      "StrictModes no",
      "UseDNS no",
      "MaxStartups 2000",
      "LogLevel VERBOSE",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PrintMotd no",
      options.config ?? "",
      "",
    ].join("\n"),
  );
  await mkdir("/run/sshd", { recursive: true });
  const sshd = spawn("/usr/sbin/sshd", ["-D", "-f", join(directory, "sshd_config"), "-E", log], {
    stdio: "ignore",
    detached: true,
  });
  const written = () => (existsSync(log) ? readFileSync(log, "utf8") : "no log");
  await listening(address, port, written, () => {
    if (sshd.exitCode !== null || sshd.signalCode !== null) throw new Error(`sshd did not start: ${written()}`);
  });
  const hostKey = (await readFile(join(directory, "host_key.pub"), "utf8")).split(" ").slice(0, 2).join(" ");
  const knownHosts = join(directory, "known_hosts");
  await writeFile(knownHosts, `[${address}]:${port} ${hostKey}\n`);
  const frozen = new Set<number>();
  const freeze = async (): Promise<void> => {
    for (const pid of [sshd.pid ?? 0, ...(await childrenOf(sshd.pid ?? 0))]) {
      frozen.add(pid);
      end(pid, "SIGSTOP");
    }
  };
  const thaw = async (): Promise<void> => {
    for (const pid of frozen) end(pid, "SIGCONT");
    frozen.clear();
  };
  return {
    address,
    port,
    user,
    directory,
    identity,
    knownHosts,
    hostKey,
    log: async () => (existsSync(log) ? readFile(log, "utf8") : ""),
    settings: (change = {}) => ({
      host: address,
      port,
      user,
      workDirectory: join(directory, "steps"),
      identities: [identity],
      passphraseEnv: null,
      env: process.env,
      agent: false,
      jump: null,
      hostKeys: "known-hosts",
      knownHosts,
      connectTimeoutMs: 10_000,
      keepaliveMs: 5000,
      pins: memoryPins(),
      contact: null,
      ownKey: null,
      ...change,
    }),
    freeze,
    thaw,
    sessions: async () => (await childrenOf(sshd.pid ?? 0)).length,
    async stop() {
      await thaw();
      const sessions = await childrenOf(sshd.pid ?? 0);
      for (const pid of [...sessions, sshd.pid ?? 0]) end(pid);
      await exitOf(`sshd of ${directory}`, sshd);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function makeKey(
  path: string,
  options: { readonly type?: string; readonly passphrase?: string } = {},
): Promise<void> {
  await run("ssh-keygen", [
    "-q",
    "-t",
    options.type ?? "ed25519",
    "-N",
    options.passphrase ?? "",
    "-C",
    "test",
    "-f",
    path,
  ]);
}

function end(pid: number, signal: NodeJS.Signals = "SIGTERM"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The processes that sshd has for its connections; what runs in them is not ended. */
async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run("ps", ["-o", "pid=,comm=", "--ppid", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout
    .split("\n")
    .filter((line) => line.includes("sshd"))
    .map((line) => Number.parseInt(line, 10));
}

export interface TcpProxy {
  readonly address: string;
  readonly port: number;
  /** Connections that were made through it so far. */
  readonly count: number;
  /** Ends every connection now. */
  cut(): void;
  /** Lets nothing through any more, in either direction, and closes nothing. New connections hang too. */
  hang(): void;
  /** Lets new connections through again; those that hang go on hanging. */
  resume(): void;
  /** New connections are ended at once. */
  refuse(): void;
  stop(): Promise<void>;
}

/** Carries TCP to `port` of `address`. `watch` sees each chunk that comes from there, before the client does. */
export async function startProxy(
  address: string,
  port: number,
  watch: (chunk: Buffer, direction: "up" | "down") => void = () => undefined,
): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>();
  let mode: "open" | "hang" | "refuse" = "open";
  let count = 0;
  const server: Server = createServer((client) => {
    count++;
    client.on("error", () => undefined);
    if (mode === "refuse") {
      client.destroy();
      return;
    }
    const upstream = connect({ port, host: address, noDelay: true });
    upstream.on("error", () => {
      client.destroy();
    });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    const hung = mode === "hang";
    const pass = (from: Socket, to: Socket, direction: "up" | "down"): void => {
      from.on("data", (chunk) => {
        watch(chunk, direction);
        if (!to.destroyed) to.write(chunk);
      });
      from.on("close", () => {
        if (!paused.has(pair)) {
          to.destroy();
          pairs.delete(pair);
        }
      });
      if (hung) from.pause();
    };
    if (hung) paused.add(pair);
    pass(client, upstream, "up");
    pass(upstream, client, "down");
  });
  const paused = new Set<[Socket, Socket]>();
  server.on("connection", (socket) => socket.setNoDelay(true));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    pairs.clear();
  };
  return {
    address: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    get count() {
      return count;
    },
    cut,
    hang() {
      mode = "hang";
      for (const pair of pairs) {
        paused.add(pair);
        for (const socket of pair) socket.pause();
      }
    },
    resume() {
      mode = "open";
    },
    refuse() {
      mode = "refuse";
    },
    async stop() {
      cut();
      await within("the proxy is closed", new Promise((resolve) => server.close(resolve)), 10_000);
    },
  };
}
