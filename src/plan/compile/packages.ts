/**
 * The program that installs packages. It supports every package manager, because a plan does not say which one a
 * machine has.
 */
import type { ProgramSpec, SetupSpec } from "../launchPlan/launchPlan.js";

/** Whether missing packages are installed or only reported. bootlevel never changes the operator's own computer. */
export type PackagesMode = "install" | "check";

/** The program's own exit codes. */
export const PACKAGES_MISSING = 71;
export const NO_PACKAGE_MANAGER = 72;
export const PACKAGES_NEED_ROOT = 73;

/**
 * Its arguments are the mode and the names of packages. Installed packages are skipped, so that neither network
 * nor root is needed for them. The plan's schema excludes blanks and shell wildcards in names.
 */
const SCRIPT = `set -f
mode=$1; shift
lacks() { command -v "$1" >/dev/null 2>&1 && return 1 || return 0; }
if ! lacks dpkg-query && ! lacks apt-get; then
  manager=apt-get
  has() {
    known=$(dpkg-query -W -f '\${db:Status-Status} \${Version}\\n' "\${1%%=*}" 2>/dev/null) || return 1
    case $1 in
      *=*) printf '%s\\n' "$known" | grep -qxF "installed \${1#*=}" ;;
      *) printf '%s\\n' "$known" | grep -q '^installed ' ;;
    esac
  }
elif ! lacks apk; then manager=apk; has() { apk info -e "$1" >/dev/null 2>&1; }
elif ! lacks rpm && ! lacks zypper; then manager=zypper; has() { rpm -q "$1" >/dev/null 2>&1; }
elif ! lacks rpm && ! lacks dnf; then manager=dnf; has() { rpm -q "$1" >/dev/null 2>&1; }
elif ! lacks rpm && ! lacks yum; then manager=yum; has() { rpm -q "$1" >/dev/null 2>&1; }
else
  echo "no package manager that bootlevel knows (apt-get, apk, zypper, dnf, yum): install with a recipe, or start from an image that has: $*"
  exit ${NO_PACKAGE_MANAGER}
fi
missing=
for package do has "$package" || missing="$missing $package"; done
if [ -z "$missing" ]; then echo "all packages are there: $*"; exit 0; fi
if [ "$mode" != install ]; then
  echo "not installed on this computer:$missing (bootlevel installs nothing here: install them yourself, with $manager)"
  exit ${PACKAGES_MISSING}
fi
as_root() { "$@"; }
if [ "$(id -u)" != 0 ]; then
  if lacks sudo; then why="there is no sudo"
  else why=$(LC_ALL=C sudo -n /bin/sh -c : 2>&1) && why= || why="sudo says: $why"; fi
  if [ -n "$why" ]; then
    echo "not installed:$missing; installing needs root, and $why"
    exit ${PACKAGES_NEED_ROOT}
  fi
  as_root() { sudo -n "$@"; }
fi
set -- $missing
echo "$manager installs:$missing"
case $manager in
  apt-get)
    apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"; }
    lists=0
    # Others may hold the lock of the lists, for which apt-get does not wait.
    until apt update; do
      lists=$((lists + 1)); [ "$lists" -lt 6 ] || exit 1; sleep 5
    done
    apt install -y --no-install-recommends "$@" ;;
  apk) as_root apk add --update-cache --wait 300 "$@" ;;
  zypper) as_root env ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive install --no-recommends "$@" ;;
  dnf) as_root dnf install -y --setopt=install_weak_deps=False "$@" ;;
  yum) as_root yum install -y "$@" ;;
esac`;

/** The names of the packages that a step installs. */
export function packagesOf({ program }: SetupSpec): string[] {
  return program.args.slice(1).flat().map(String);
}

/** @param packages names that the schema has validated. */
export function packagesProgram(packages: readonly string[], mode: PackagesMode, timeoutMs: number): ProgramSpec {
  return {
    run: { kind: "command", line: [SCRIPT] },
    args: [mode, ...packages].map((word) => [word]),
    env: {},
    files: [],
    timeoutMs,
    where: "machine",
    sudo: mode === "install" ? "itself" : false,
  };
}
