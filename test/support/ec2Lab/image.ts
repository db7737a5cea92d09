/**
 * What lies on the disk of a new machine: Debian as it is here, a user `admin` who may do everything, sshd, and what
 * its user data asks for.
 */
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { addCloudInit, STAGES } from "./realCloudInit.js";
import type { FirstBoot } from "./userData.js";

/** How machines are from their start on. */
export interface ImageSettings {
  /** sshd answers so much later, in milliseconds. */
  readonly lateMs: number;
  /**
   * How its first boot ends, as `cloud-init status` tells: as it did; with an error; with warnings; never. "missing":
   * there is no cloud-init. "real": Debian's own does it all, where it was fetched (`fetch-cloud-init`).
   */
  readonly cloudInit: "true" | "error" | "degraded" | "endless" | "missing" | "real";
}

export interface Disk {
  /** The instance's id. */
  readonly id: string;
  /** As the cloud gives it; `firstBoot` is the lab's own reading of it. */
  readonly userData: Buffer;
  /** Of its key pair. */
  readonly publicKeys: readonly string[];
  /** The addresses that sshd listens on. */
  readonly addresses: readonly string[];
  readonly firstBoot: FirstBoot;
  readonly image: ImageSettings;
  /** Tells all that it is asked. */
  readonly isWatched: boolean;
}

/** The user that Debian's images let in. */
export const USER = "admin";
const UID = 61_000;
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** The program that takes a machine's directory and becomes its first process. */
export const MACHINE = file("machine.sh");

const CONFIG = [
  "UsePAM no",
  "UseDNS no",
  "StrictModes no",
  "MaxStartups 2000",
  "MaxSessions 100",
  "PermitRootLogin prohibit-password",
  "PasswordAuthentication no",
  "KbdInteractiveAuthentication no",
  "PrintMotd no",
  "PidFile none",
];

/** Fills a machine's directory. */
export function writeDisk(directory: string, disk: Disk): void {
  const { addresses, isWatched, image } = disk;
  for (const own of ["root", "work", "upper", "own/etc/ssh", "own/root", "own/home", "own/run"])
    mkdirSync(join(directory, own), { recursive: true });
  mkdirSync(join(directory, "own/tmp"));
  chmodSync(join(directory, "own/tmp"), 0o1777);
  chmodSync(join(directory, "own/root"), 0o700);
  const upper: Upper = (path, text, mode = 0o644) => {
    write(join(directory, "upper", path), text, mode);
  };
  write(
    join(directory, "own/etc/ssh/sshd_config"),
    [
      ...CONFIG,
      ...addresses.map((address) => `ListenAddress ${address}:22`),
      `LogLevel ${isWatched ? "DEBUG3" : "VERBOSE"}`,
      "",
    ].join("\n"),
    0o644,
  );
  upper("var/log/auth.log", "", 0o640);
  if (image.cloudInit === "real") {
    addCloudInit(join(directory, "upper"), { ...disk, user: USER });
    programs(
      join(directory, "upper/usr/local/lib/machine"),
      { early: STAGES.early, scripts: { all: `#!/bin/sh\n${STAGES.late}` } },
      image,
    );
  } else {
    bootAsCloudInit(directory, disk, upper);
  }
}

type Upper = (path: string, text: string, mode?: number) => void;

/** What cloud-init would do before sshd starts is done on the disk, as far as it can be. */
function bootAsCloudInit(directory: string, { firstBoot, image, publicKeys }: Disk, upper: Upper): void {
  users(upper);
  const keys = [...firstBoot.authorizedKeys, ...publicKeys].map((key) => `${key}\n`).join("");
  for (const home of ["own/root", `own/home/${USER}`])
    write(join(directory, home, ".ssh/authorized_keys"), keys, 0o600);
  for (const path of ["", ".ssh", ".ssh/authorized_keys"]) chownSync(join(directory, "own/home", USER, path), UID, UID);
  for (const [name, text] of Object.entries(firstBoot.hostKeys))
    write(join(directory, "own/etc/ssh", name), text, name.endsWith(".pub") ? 0o644 : 0o600);
  programs(join(directory, "upper/usr/local/lib/machine"), firstBoot, image);
  if (image.cloudInit !== "missing") upper("usr/bin/cloud-init", readFileSync(file("cloudInit.sh"), "utf8"), 0o755);
}

/** The machine starts again, perhaps at other addresses. */
export function moveDisk(directory: string, addresses: readonly string[]): void {
  const config = join(directory, "own/etc/ssh/sshd_config");
  const rest = readFileSync(config, "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("ListenAddress "));
  writeFileSync(config, [...addresses.map((address) => `ListenAddress ${address}:22`), ...rest].join("\n"));
}

function users(upper: Upper): void {
  const before = (name: string): string =>
    readFileSync(`/etc/${name}`, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith(`${USER}:`))
      .map((line) => `${line}\n`)
      .join("");
  upper("etc/passwd", `${before("passwd")}${USER}:x:${UID}:${UID}::/home/${USER}:/bin/bash\n`);
  upper("etc/group", `${before("group")}${USER}:x:${UID}:\n`);
  upper("etc/shadow", `${before("shadow")}${USER}:*:19000:0:99999:7:::\n`, 0o640);
  upper("etc/sudoers.d/90-cloud-init-users", `${USER} ALL=(ALL) NOPASSWD:ALL\n`, 0o440);
}

function programs(
  directory: string,
  { early, scripts }: Pick<FirstBoot, "early" | "scripts">,
  { lateMs, cloudInit }: ImageSettings,
): void {
  mkdirSync(join(directory, "scripts"), { recursive: true });
  copyFileSync(file("init.sh"), join(directory, "init"));
  for (const [name, text] of Object.entries({
    first: "",
    early,
    "late-seconds": String(lateMs / 1000),
    final: FINAL[cloudInit],
  }))
    write(join(directory, name), text, 0o644);
  for (const [name, text] of Object.entries(scripts)) write(join(directory, "scripts", name), text, 0o755);
}

/** Says how the first boot ended. */
const FINAL: Readonly<Record<ImageSettings["cloudInit"], string>> = {
  true: "if [ -e /run/cloud-init/errors ]; then echo error; else echo done; fi >/run/cloud-init/new && mv /run/cloud-init/new /run/cloud-init/result\n",
  error: "echo 'the lab wants it to fail' >>/run/cloud-init/errors; echo error >/run/cloud-init/result\n",
  degraded: "echo 'the lab wants a warning' >>/run/cloud-init/errors; echo degraded >/run/cloud-init/result\n",
  endless: "",
  missing: "",
  real: "",
};

function write(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, text);
  chmodSync(path, mode);
}
