/**
 * The POSIX sh scripts that run on machines; the tests run them in dash, bash and busybox ash. They are sent over
 * standard input and never as an argument, because process lists show arguments. Every value in them is quoted, and
 * only the builtin printf handles secrets.
 *
 * A step's directory contains `.bl/` with these files:
 *
 * - `started`: the claim. Whoever creates it owns the start.
 * - `staged`: the bundle's last member, the proof of a complete transfer.
 * - `pid`: the wrapper's pid, which is also its process group.
 * - `exit`: the program's exit code. The wrapper writes it even if the connection has broken.
 * - `nonce`: the nonce of the runner script.
 * - `boot`: the machine's boot id.
 * - `relay`: the pid of the cat that carries the output.
 * - `rt-path`: the path of the runtime directory, in RAM if possible, with attributes, outputs and FIFOs
 *   (holderScript.ts lists those of `bl`).
 * - `bin`: the program `bl`.
 */
import { environment } from "./environment.js";
import { takeHost } from "../shell/hostMarker.js";
import { quote } from "../shell/quote.js";
import { OUTPUT_LIMIT } from "./parseOutputs.js";
import type { ProgramRequest } from "./request.js";
import {
  endHolder,
  endCoordination,
  holder,
  setUpCoordination,
  closeCoordination,
} from "../coordination/holderScript.js";
import { type ScriptContext, type SudoUse, block, superuser, superuserAfter } from "../shell/channelScript.js";

/** Sleeps between two polls; not every sleep supports fractions. */
const pollPause = "{ sleep 0.1 2>/dev/null || sleep 1; }";
/** The program's output begins after the line with this prefix. The rest of the line is the nonce of the end mark. */
export const beginMark = (nonce: string): string => `bl-begin ${nonce} `;
export const endMark = (nonce: string): string => `bl-end ${nonce}\n`;

/**
 * Unpacks the tar file that follows on standard input and starts the program, unless the directory is claimed already.
 * After the result it waits for `dismissal` on the same input and removes the step's files: another channel for that
 * would cost as much as the program's own.
 */
export function runnerScript(
  context: ScriptContext,
  request: Pick<
    ProgramRequest,
    "start" | "args" | "env" | "folders" | "attributes" | "sudo" | "bundle" | "keep" | "coordination" | "hostUser"
  >,
): string {
  const talks = request.coordination !== undefined;
  const feed = 'printf %s "$w" >"$r/in"';
  return block([
    `u=$(umask); umask 077; ${enter(context, "runtime")}`,
    request.hostUser === undefined ? ":" : takeHost(request.hostUser),
    // Check before overwriting another step's files. The claim itself follows right before the start.
    "[ ! -e .bl/started ] || bl_say fail claimed",
    "command -v tar >/dev/null 2>&1 || bl_say fail no-tar",
    // -o: as root, tar must not apply the archive's numeric owners.
    `${exactly(request.bundle.size)} | tar -xof - || bl_say fail unpack`,
    "[ -f .bl/staged ] || bl_say fail cut-off",
    superuser(request.sudo === true),
    "if command -v setsid >/dev/null 2>&1; then g=setsid; else g=; set -m; case $- in *m*) ;; *) bl_say fail no-setsid ;; esac; fi",
    runtimeDirectory(talks),
    `printf %s ${quote(JSON.stringify(request.attributes))} >"$r/attributes" && : >"$r/output" || bl_say fail runtime`,
    `echo ${context.nonce} >.bl/nonce; { read -r b </proc/sys/kernel/random/boot_id && echo "$b" >.bl/boot; } 2>/dev/null`,
    // From here on, the step counts as started.
    `${claim} || { [ -e .bl/started ] && bl_say fail claimed || bl_say fail directory; }; set +C`,
    relay(context.nonce),
    talks ? setUpCoordination : ":",
    `w=${quote(wrapper(context.nonce, environment(request)))}`,
    `{ ${talks ? `exec ${closeCoordination}; ` : ""}bl_relay; } 3<"$r/pipe" </dev/null 2>/dev/null & ${talks ? holder(`${feed}; w=`, context.nonce) : `{ ${feed}; } &`}`,
    `$g /bin/sh -s "$r" "$S" "$u" <"$r/in" >"$r/pipe" 2>&1${talks ? ` ${closeCoordination}` : ""} & p=$!; w=; wait $p; c=$?`,
    talks ? endHolder : ":",
    // Without a pid the wrapper has not started the program, so no end mark will come.
    "[ -s .bl/pid ] || bl_say fail start",
    trailer(context.nonce, "$c"),
    `while read -r w; do [ "$w" != ${quote(dismissal(context.nonce))} ] || { ${talks ? `${endCoordination}; ` : ""}${remove(request.keep ? '"$r"' : '"$r" "$d"')}; bl_say removed; }; done`,
  ]);
}

/** The line that tells a runner script to remove the step's files, once its result is recorded. */
export const dismissal = (nonce: string): string => `bl-dismissed ${nonce}`;

/**
 * Ends the step's process group: TERM, and KILL after `graceMs`. Claims a step that has not started, so that it never
 * will.
 */
export function killScript(context: ScriptContext, graceMs: number, sudo: SudoUse): string {
  return block([
    enter(context, "create"),
    superuserAfter(sudo),
    `${claim} && bl_say never; set +C`,
    `i=0; while [ ! -s .bl/pid ] && [ $i -lt 20 ]; do i=$((i+1)); ${pollPause}; done`,
    'p=$(cat .bl/pid) || bl_say killed; [ -n "$p" ] || bl_say killed',
    `${sameBoot} || bl_say killed`,
    `if [ -d /proc/$p ] && [ -d /proc/self ]; then ${ownWrapper} || bl_say killed; fi`,
    // kill succeeds if it may signal one process of the group, although it could not signal sudo's child. So both
    // variants run, and their messages are dropped.
    'bl_kill() { kill -$1 -$p 2>/dev/null; [ -z "$S" ] || $S kill -$1 -$p 2>/dev/null; }',
    groupThere,
    "bl_kill TERM",
    `i=0; while bl_there && [ $i -lt ${Math.ceil(graceMs / 100)} ]; do i=$((i+1)); ${pollPause}; done`,
    "bl_there && bl_kill KILL",
    "bl_say killed",
  ]);
}

/**
 * Finds out how a step ended: waits for its end and reports the result as the runner script would. Claims a step that
 * has not started.
 */
export function recoverScript(context: ScriptContext, sudo: SudoUse): string {
  return block([
    `umask 077; ${enter(context, "create")}`,
    `${claim} && bl_say never; set +C`,
    superuserAfter(sudo),
    "r=$(cat .bl/rt-path); n=$(cat .bl/nonce)",
    // The relay's cat may be blocked on a dead connection, and the program on the cat.
    'k=$(cat .bl/relay 2>/dev/null) && [ -n "$k" ] && kill -9 $k 2>/dev/null',
    `${sameBoot} || [ -s .bl/exit ] || bl_say lost restarted`,
    `i=0; while [ ! -s .bl/pid ] && [ $i -lt 50 ]; do i=$((i+1)); ${pollPause}; done`,
    'p=$(cat .bl/pid 2>/dev/null); [ -n "$p" ] || bl_say lost no-start',
    // The periodic lines detect a broken channel: when nobody reads any more, writing them ends this script.
    `i=0; until [ -s .bl/exit ]; do kill -0 $p 2>/dev/null && { [ ! -d /proc/self ] || ${ownWrapper}; } || { [ -s .bl/exit ] || bl_say lost killed; }; [ $i -gt 0 ] || printf '\\nbl-lives ${context.nonce} -\\n' >&2; i=$((i+1)); [ $((i%10)) -ne 0 ] || printf '\\nbl-wait\\n' >&2; ${pollPause}; done`,
    `i=0; until grep -q "bl-end $n" "$r/rest" 2>/dev/null || [ $i -ge 10 ]; do i=$((i+1)); ${pollPause}; done`,
    `printf '%s%s\\n' ${quote(beginMark(context.nonce))} "$n"`,
    'cat "$r/rest" 2>/dev/null',
    "printf 'bl-end %s\\n' \"$n\"",
    // A restart deletes the outputs, since they are in RAM.
    '[ -e "$r/output" ] || bl_say lost outputs',
    trailer(context.nonce, "126"),
  ]);
}

/** Removes the runtime directory, and with `everything` the step's directory too. */
export function cleanupScript(context: ScriptContext, everything: boolean, sudo: SudoUse): string {
  return block([
    enter(context, "existing"),
    superuserAfter(sudo),
    `r=$(cat .bl/rt-path 2>/dev/null) && case $r in /*) ${endCoordination}; ${remove('"$r"')} ;; esac`,
    everything ? remove('"$d"') : ":",
    "bl_say removed",
  ]);
}

function remove(paths: string): string {
  // Programs may have left folders that their owner cannot write to.
  const own = `rm -rf ${paths} 2>/dev/null || { chmod -R u+rwx ${paths} 2>/dev/null; rm -rf ${paths}; }`;
  return `cd / && { { ${own}; } || { [ -n "$S" ] && $S rm -rf ${paths}; }; } || bl_say fail remove`;
}

/**
 * Passes on exactly `bytes` bytes of standard input and leaves the rest. Without `head -c`, dd copies them byte by
 * byte. It is not a failure if head gets SIGPIPE because tar has read enough.
 */
function exactly(bytes: number): string {
  return `{ head -c ${bytes} 2>/dev/null || [ $? -gt 128 ] || dd ibs=1 count=${bytes} 2>/dev/null; }`;
}

/**
 * Changes to the step's directory and defines `bl_say`, which reports a verdict and ends the script. With "runtime",
 * the same mkdir creates the runtime directory in RAM if possible; nobody else can have created it, since nobody knows
 * the nonce. A failing script removes it.
 */
function enter(context: ScriptContext, how: "existing" | "create" | "runtime"): string {
  const tidy = how === "runtime" ? '[ "$1" != fail ] || [ -z "$r" ] || rm -rf "$r"; ' : "";
  const say = `bl_say() { ${tidy}printf '\\nbl-%s ${context.nonce} %s\\n' "$1" "\${2:--}" >&2; exit 97; }`;
  const directory = `d=${quote(context.directory)}; case $d in /*) ;; *) d=\${HOME:?}/$d ;; esac`;
  const make = 'mkdir -p "$d/.bl"';
  const go = {
    existing: '[ -d "$d" ] || bl_say removed; cd "$d"',
    create: `${make} && cd "$d"`,
    runtime: `r=/dev/shm/bl.${context.nonce}; { [ -w /dev/shm ] && ${make} "$r" 2>/dev/null || { rmdir "$r" 2>/dev/null; r=; ${make}; }; } && cd "$d"`,
  };
  return `${say}; ${directory}; ${go[how]} || bl_say fail directory`;
}

/** Claims the step by creating a file exclusively, without loading a program. The shell's error message is dropped. */
const claim = "set -C; { true >.bl/started; } 2>/dev/null";
/** In RAM, because attributes may be secret. A machine without a RAM directory gets one that only its user can read. */
const runtimeDirectory = (talks: boolean): string =>
  [
    '[ -n "$r" ] || r=$(mktemp -d "${XDG_RUNTIME_DIR:-/nowhere}/bl.XXXXXXXXXX" 2>/dev/null) || { r=$d/.bl/rt; mkdir "$r" || bl_say fail runtime; }',
    `printf '%s\\n' "$r" >.bl/rt-path && mkfifo "$r/in" "$r/pipe"${talks ? ' "$r/req" "$r/up"' : ""} || bl_say fail runtime`,
  ].join("\n");

/**
 * Carries the program's output. When nobody reads it any more, the first MiB is kept for a later launcher and the rest
 * is dropped: the program, or a server that it left behind, never blocks and never gets SIGPIPE. `ulimit -f` counts
 * blocks of 512 bytes. With cat, every byte is in the file at once; neither `head -c` nor `dd` guarantees that.
 */
function relay(nonce: string): string {
  return [
    `bl_relay() { trap '' PIPE HUP; printf '%s\\n' ${quote(beginMark(nonce) + nonce)}`,
    "cat <&3 & echo $! >.bl/relay; wait $! && exit 0; rm -f .bl/relay",
    '( ulimit -c 0; ulimit -f 2048; trap - PIPE; exec cat <&3 >"$r/rest" ) || exec cat <&3 >/dev/null; }',
  ].join("\n");
}

/**
 * The leader of the program's process group: a shell that parses its whole script before it runs any of it. It survives
 * a TERM to the group, so the exit code of a program that ends on TERM is recorded. $1 is the runtime directory, $2 the
 * prefix for commands as root, $3 the user's umask.
 */
function wrapper(nonce: string, program: string): string {
  return block([
    "umask 077",
    "trap : TERM INT HUP",
    // Each file gets one short write. Readers treat an empty file as missing.
    "echo $$ >.bl/pid || exit 126",
    // The user's own variable e may be exported; this one may contain secrets.
    `unset e; e=${quote(program)}; exec </dev/null`,
    // Root needs another shell; otherwise a subshell is enough and loads no program.
    'if [ -z "$2" ]; then ( umask "$3"; eval "$e" ); c=$?',
    'else printf %s "$e" | $2 /bin/sh -c \'umask "$2"; eval "$(cat)"\' bl "$1" "$3"; c=$?; fi',
    "echo $c >.bl/exit",
    `printf '%s' ${quote(endMark(nonce))}`,
    "exit $c",
  ]);
}

/**
 * The result on standard error: exit code, size of the outputs, outputs. A missing exit code means that the wrapper was
 * killed.
 */
function trailer(nonce: string, otherwise: string): string {
  return [
    `if [ -s .bl/exit ]; then read -r c <.bl/exit; else c=${otherwise}; [ "$c" -le 128 ] || bl_say lost killed; fi`,
    's=0; [ ! -s "$r/output" ] || { s=$($S cat "$r/output" | wc -c); s=$((s)); }',
    `printf '\\nbl-done ${nonce} %s %s\\n' "$c" "$s" >&2`,
    `[ $s -eq 0 ] || [ $s -gt ${OUTPUT_LIMIT} ] || $S cat "$r/output" >&2`,
  ].join("\n");
}

/**
 * Whether the group $p has a living process. kill counts zombies too, and in a container whose first process does not
 * reap, a killed program's orphans stay zombies. So /proc is read where it exists (fields after the name in
 * parentheses: state, parent, group).
 */
const groupThere = [
  'bl_there() { kill -0 -$p 2>/dev/null || { [ -n "$S" ] && $S kill -0 -$p 2>/dev/null; } || return 1',
  "[ -d /proc/self ] || return 0",
  "for s in /proc/[0-9]*/stat; do { read -r l <$s; } 2>/dev/null || continue",
  'l=${l##*) }; set -- $l; [ "$1" != Z ] && [ "$3" = "$p" ] && return 0; done; return 1; }',
].join("\n");

/** A pid is meaningless after a restart. Machines without /proc are assumed not to have restarted. */
const sameBoot =
  '{ [ ! -s .bl/boot ] || [ "$(cat .bl/boot)" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ]; }';
/** The wrapper works in the step's directory. Another process with this pid has reused it. */
const ownWrapper = '[ /proc/$p/cwd -ef "$d" ]';
