/**
 * A machine as a cloud prepares it: a real sshd in a mount namespace of its own, where /etc/ssh, /run, /var/log, the
 * users and the home directories are the machine's and not this computer's. It lives on when whoever started it dies,
 * until `stopMachine`.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { eventually, isAlive } from "./eventually.js";
import { listening } from "./listening.js";

export interface MachineParts {
  /** Everything that this computer keeps of it: pid, log, keys that it was given. */
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** Private host keys to begin with, by type (`ed25519`); the machine makes its own where there is none. */
  readonly hostKeys: Readonly<Record<string, string>>;
  readonly authorizedKeys: readonly string[];
  /** `root`, or a user that is made there. */
  readonly user?: string;
  /** What sudo does for that user. */
  readonly sudo?: "yes" | "refuses" | "absent";
  /** A folder of programs that its sessions find first. */
  readonly bin?: string | null;
}

/** Starts it and waits until it listens. @returns the pid of its sshd. */
export async function startMachine(parts: MachineParts): Promise<number> {
  const { directory, address, port } = parts;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, "authorized_keys"), parts.authorizedKeys.map((key) => `${key}\n`).join(""));
  for (const [type, key] of Object.entries(parts.hostKeys))
    writeFileSync(join(directory, `given_${type}`), key, { mode: 0o600 });
  writeFileSync(
    join(directory, "sshd_config"),
    [
      `ListenAddress ${address}:${port}`,
      "AuthorizedKeysFile /etc/ssh/authorized_keys",
      "PidFile none",
      "UsePAM no",
      "StrictModes no",
      "UseDNS no",
      "LogLevel DEBUG",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PrintMotd no",
      "MaxStartups 2000",
      `SetEnv "PATH=${parts.bin ? `${parts.bin}:` : ""}/usr/bin:/bin"`,
      "",
    ].join("\n"),
  );
  writeFileSync(join(directory, "start"), startScript(parts));
  const machine = spawn("unshare", ["-m", "/bin/sh", join(directory, "start")], { stdio: "ignore", detached: true });
  machine.unref();
  const pid = machine.pid as number;
  writeFileSync(join(directory, "pid"), String(pid));
  const log = () => logOf(directory);
  await listening(address, port, log, () => {
    if (machine.exitCode !== null || machine.signalCode !== null)
      throw new Error(`the machine did not start (${String(machine.exitCode ?? machine.signalCode)}): ${log()}`);
  });
  return pid;
}

/** What its sshd wrote so far. */
export function logOf(directory: string): string {
  return ["sshd.log", "start.log"]
    .map((name) => join(directory, name))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, "utf8"))
    .join("");
}

/** A file of the machine's own, as it is there. */
export function machineFile(directory: string, path: string): string {
  return readFileSync(join("/proc", readFileSync(join(directory, "pid"), "utf8"), "root", path), "utf8");
}

/** The public host keys that the machine has now: `ssh-ed25519 AAAA…`. */
export function hostKeysOf(directory: string, types: readonly string[] = ["ed25519"]): string[] {
  return types.map((type) =>
    machineFile(directory, `etc/ssh/ssh_host_${type}_key.pub`).split(" ").slice(0, 2).join(" ").trim(),
  );
}

/** Ends its sshd and the sessions of it; safe to repeat. */
export async function stopMachine(directory: string): Promise<void> {
  const path = join(directory, "pid");
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, "utf8"));
  for (const one of [...sessionsOf(pid), pid]) kill(one);
  await eventually(
    `the sshd of ${directory} (process ${pid}) has ended`,
    () => !isAlive(pid),
    10_000,
    () => logOf(directory),
  );
}

export function newHostKey(directory: string, type = "ed25519"): { privateKey: string; publicKey: string } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `new_${type}_${process.hrtime.bigint()}`);
  execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", path]);
  return {
    privateKey: readFileSync(path, "utf8"),
    publicKey: readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim(),
  };
}

function startScript({ directory, hostKeys, user = "root", sudo = "absent" }: MachineParts): string {
  const own =
    user === "root"
      ? []
      : [
          // The file as it is here, with one more user.
          ...["passwd", "shadow", "group"].map((name) => `cp /etc/${name} /run/${name}`),
          `echo '${user}:x:54321:54321::/run/home:/bin/sh' >>/run/passwd`,
          `echo '${user}:*:19000:0:99999:7:::' >>/run/shadow`,
          `echo '${user}:x:54321:' >>/run/group`,
          ...["passwd", "shadow", "group"].map((name) => `mount --bind /run/${name} /etc/${name}`),
          "mkdir /run/home; chown 54321:54321 /run/home; chmod 700 /run/home",
          ...(sudo === "absent"
            ? ["[ ! -e /usr/bin/sudo ] || mount --bind /dev/null /usr/bin/sudo"]
            : ["mount -t tmpfs -o mode=750 none /etc/sudoers.d"]),
          ...(sudo === "yes"
            ? [`echo '${user} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/${user}`, `chmod 440 /etc/sudoers.d/${user}`]
            : []),
        ];
  return [
    `exec >>'${directory}/start.log' 2>&1; set -e`,
    "mount -t tmpfs -o mode=755 none /run; mkdir /run/sshd",
    ...own,
    "mount -t tmpfs -o mode=755 none /var/log; mount -t tmpfs -o mode=700 none /root",
    "mount -t tmpfs -o mode=755 none /etc/ssh",
    `cp '${directory}/sshd_config' '${directory}/authorized_keys' /etc/ssh; chmod 644 /etc/ssh/*`,
    ...Object.keys(hostKeys).map(
      (type) =>
        `k=/etc/ssh/ssh_host_${type}_key; cp '${directory}/given_${type}' $k; chmod 600 $k; ssh-keygen -y -f $k >$k.pub`,
    ),
    ...(Object.keys(hostKeys).length > 0 ? [] : ["ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"]),
    `exec /usr/sbin/sshd -D -E '${directory}/sshd.log'`,
    "",
  ].join("\n");
}

function sessionsOf(pid: number): number[] {
  try {
    return execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map(Number);
  } catch {
    return []; // it has none
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
