/**
 * The marker that says which installation uses a host. An installation knows which hosts of its own pools are taken, but
 * not what another one does: two that list the same host would run their programs side by side.
 */
import { quote } from "./quote.js";

/** Who uses a host, as the marker says it. */
export interface HostUser {
  /** The id of the installation. */
  readonly installation: string;
  /** The run's unique id. */
  readonly run: string;
  readonly runName: string;
  readonly service: string;
  /** Whose installation it is, for people: `alice@ops1`. */
  readonly launcher: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * Shell code that sets f to the marker's path. A home directory may be shared by several hosts (NFS), and several
 * servers may share a computer: the name tells the host, and the address and port at which its sshd was reached.
 */
const MARKER_PATH =
  "bl_marker() { { read -r h </proc/sys/kernel/hostname || h=$(uname -n); } 2>/dev/null; set -- $SSH_CONNECTION; f=$HOME/.bootlevel/host-$h-${3:-0}-${4:-0}; }; bl_marker";

/**
 * Shell code that takes the host: it creates the marker, exclusively, or finds that it is this installation's already,
 * whose earlier run did not take it away. Otherwise it calls `bl_say fail "taken NAME MARKER"`. A marker that cannot be
 * written (a full disk) is left out: the program that follows has the same trouble, and tells it. One that stays empty
 * is of a launcher that died.
 */
export function takeHost(user: HostUser): string {
  const ours = `"installation":${JSON.stringify(user.installation)}`;
  return [
    MARKER_PATH,
    `m=${quote(JSON.stringify(user))}; i=0`,
    'bl_keep() { printf "%s\\n" "$m" >"$f"; }',
    'until (set -C; bl_keep) 2>/dev/null; do o=; { read -r o <"$f"; } 2>/dev/null',
    `case $o in *${quote(ours)}*) bl_keep 2>/dev/null; break ;;`,
    '"") [ $i -lt 10 ] || { bl_keep 2>/dev/null; break; }; i=$((i+1)); { sleep 0.1 2>/dev/null || sleep 1; } ;;',
    '*) bl_say fail "taken ${f##*/} $o" ;; esac; done; o=',
  ].join("\n");
}

/** Shell code, without single quotes, that removes the marker if it is this run's. The current directory is the home. */
export function leaveHost(run: string): string {
  return `${MARKER_PATH}; o=; { read -r o <"$f"; } 2>/dev/null; case $o in *\\"run\\":\\"${run}\\"*) rm -f "$f" ;; esac`;
}

const LONGEST = 100;

/** Says who uses the host. @param found what `takeHost` said: the marker's file name and content; machines may lie. */
export function hostTaken(found: string): string {
  const [name = "", ...rest] = found.split(" ");
  const user = parse(rest.join(" "));
  const who =
    user === null
      ? "another installation of bootlevel"
      : `service ${user.service} of run ${user.runName}, which the installation of ${user.launcher} started (${user.since})`;
  return (
    `the host is in use by ${who}: terminate that run there, or let this plan use other hosts. ` +
    `If that installation is gone, remove ~/.bootlevel/${plain(name)} on the host`
  );
}

function parse(text: string): HostUser | null {
  try {
    const user = JSON.parse(text) as Readonly<Record<keyof HostUser, unknown>> | null;
    const word = (key: keyof HostUser): string => {
      const value = user?.[key];
      return typeof value === "string" ? plain(value) : "?";
    };
    return {
      installation: word("installation"),
      run: word("run"),
      runName: word("runName"),
      service: word("service"),
      launcher: word("launcher"),
      since: word("since"),
    };
  } catch {
    return null; // not a marker that bootlevel wrote
  }
}

function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, LONGEST);
}
