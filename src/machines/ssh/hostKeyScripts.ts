/**
 * POSIX sh scripts that give a machine its own host keys. They run as root. They can be killed at any line and run
 * again: a new key is written beside the old one (`.bl-new`), and an existing new key is kept, so its public half stays
 * the one that the launcher has pinned.
 */
import { quote } from "../shell/quote.js";

/**
 * Generates keys without activating them, and prints `key TYPE BLOB` for each. A key whose public half is in `pinned`
 * is already the machine's own and is printed unchanged.
 */
export function stageScript(say: string, pinned: readonly string[]): string {
  return asRoot(say, [
    `P=${quote(`\n${pinned.join("\n")}\n`)}`,
    PUBLIC,
    "stage() {",
    '  public "$1"; old=$key',
    "  case ${old%% *} in",
    "    ''|ssh-ed25519) t=ed25519 b= ;; ssh-rsa) t=rsa b=3072 ;;",
    "    ecdsa-sha2-nistp256) t=ecdsa b=256 ;; ecdsa-sha2-nistp384) t=ecdsa b=384 ;; ecdsa-sha2-nistp521) t=ecdsa b=521 ;;",
    "    *) return ;;",
    "  esac",
    // Leave a file alone that exists but holds no readable key.
    '  [ -n "$old" ] || [ ! -s "$1" ] || return',
    '  if [ -n "$old" ]; then case $P in *"',
    "$old",
    '"*) say key $old; return ;; esac; fi',
    '  public "$1.bl-new"',
    '  if [ -z "$key" ]; then',
    '    rm -f "$1.bl-tmp" "$1.bl-tmp.pub"',
    '    ssh-keygen -q -t $t ${b:+-b $b} -N \'\' -C \'\' -f "$1.bl-tmp" </dev/null >/dev/null && mv -f "$1.bl-tmp" "$1.bl-new" || give_up make',
    '    rm -f "$1.bl-tmp.pub"; public "$1.bl-new"',
    '    [ -n "$key" ] || give_up make',
    "  fi",
    "  say key $key",
    "}",
    TARGETS,
    'for k; do stage "$k"; done',
    "sync",
    "say staged",
  ]);
}

/** Moves the new keys to where sshd reads them and reloads sshd without ending sessions. Prints `installed`. */
export function installScript(say: string): string {
  return asRoot(say, [
    PUBLIC,
    "install_key() {",
    '  [ -s "$1.bl-new" ] || return 0',
    '  public "$1.bl-new"; [ -n "$key" ] || give_up install',
    // Move the private key last: as long as it is missing, this step is repeated.
    '  echo "$key" >"$1.pub.bl-tmp" && chmod 644 "$1.pub.bl-tmp" && mv -f "$1.pub.bl-tmp" "$1.pub" || give_up install',
    '  chmod 600 "$1.bl-new" && mv -f "$1.bl-new" "$1" || give_up install',
    '  if command -v restorecon >/dev/null 2>&1; then restorecon "$1" "$1.pub"; fi',
    "}",
    TARGETS,
    'for k; do install_key "$k"; done',
    // The launcher accepts only the new keys from now on. A power cut must not bring the old ones back.
    "sync",
    LISTENER,
    "reload",
    "say installed",
  ]);
}

/**
 * Prints `fail WHY` if the user cannot become root. The program comes on standard input so that no process list shows
 * it.
 */
function asRoot(say: string, lines: readonly string[]): string {
  const program = [
    say,
    'give_up() { say fail "$1"; exit 97; }',
    "umask 077; LC_ALL=C; PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export LC_ALL PATH",
    "command -v ssh-keygen >/dev/null 2>&1 || give_up no-keygen",
    ...lines,
  ].join("\n");
  return [
    say,
    "S=",
    'if [ "$(id -u)" != 0 ]; then S="sudo -n"',
    "  command -v sudo >/dev/null 2>&1 || { say fail no-sudo; exit 97; }",
    "  $S /bin/sh -c : || { say fail sudo; exit 97; }",
    "fi",
    `printf %s ${quote(program)} | $S /bin/sh -c 'eval "$(cat)"'`,
  ].join("\n");
}

/** Sets `key` to `TYPE BLOB` of a private key file, or to "" without one. */
const PUBLIC =
  'public() { key=; [ -s "$1" ] || return 0; key=$(ssh-keygen -y -P \'\' -f "$1" </dev/null 2>/dev/null) || key=; set -f; set -- $key; set +f; key="${1:+$1 }${2:-}"; }';

/**
 * Sets the arguments to the host key files that sshd uses: those in its configuration and those with the usual names,
 * if they exist. A missing ed25519 key counts where sshd would read it. If nothing is found, the usual ed25519 file is
 * used.
 */
const TARGETS = [
  "targets() {",
  "  d=$(command -v sshd)",
  '  { [ -z "$d" ] || "$d" -T 2>/dev/null | sed -n "s/^hostkey //p"; ls -d /etc/ssh/ssh_host_*_key 2>/dev/null; } | sort -u |',
  '  while read -r k; do case $k in *ed25519_key) echo "$k" ;; *) if [ -s "$k" ]; then echo "$k"; fi ;; esac; done',
  "}",
  "set -f; IFS='\n'; set -- $(targets); unset IFS; set +f",
  "[ $# -gt 0 ] || set -- /etc/ssh/ssh_host_ed25519_key",
].join("\n");

/**
 * systemd reloads its own service. Elsewhere the listening sshd gets SIGHUP: the nearest listener among this shell's
 * ancestors. An sshd that serves a single connection (socket activation, inetd) has no such ancestor; the next one
 * reads the keys anyway.
 */
const LISTENER = [
  "reload() {",
  "  if [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then",
  "    for u in ssh.service sshd.service; do",
  "      if systemctl is-active -q $u 2>/dev/null && systemctl try-reload-or-restart $u; then return; fi",
  "    done",
  "  fi",
  '  if [ ! -d /proc/self ]; then p=$(cat /run/sshd.pid 2>/dev/null || cat /var/run/sshd.pid 2>/dev/null); [ -z "$p" ] || kill -HUP $p; return 0; fi',
  "  p=$$",
  '  while [ "${p:-0}" -gt 0 ] && [ -r /proc/$p/stat ] && read -r l </proc/$p/stat; do',
  '    n=${l#*(}; if [ "${n%)*}" = sshd ] && listens $p; then kill -HUP $p; return 0; fi',
  "    l=${l##*) }; set -- $l; p=$2",
  "  done",
  "}",
  // Session processes are called "sshd: user [priv]". A listener shows its start command, since OpenSSH 8.2 with a word
  // before and after it.
  "listens() {",
  "  c=$(tr '\\000' ' ' </proc/$1/cmdline)",
  '  case $c in *" -i "*|*" -i") return 1 ;; *"[listener]"*|/*) return 0 ;; esac; return 1',
  "}",
].join("\n");
