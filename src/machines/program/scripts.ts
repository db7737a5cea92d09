/**
 * The scripts that run on machines, as POSIX sh (dash, bash and busybox ash run them in the tests). They come on
 * standard input, never in an argument: process lists show arguments. Every value in them is quoted, and only the
 * builtin printf touches secrets.
 *
 * A step's directory holds `.bl/`: `started` (the claim: whoever can make it owns the start), `staged` (the bundle's
 * last member: nothing was cut off), `pid` (of the wrapper, which is also its process group), `exit` (the program's
 * exit code, written by the wrapper whatever became of the connection), `nonce` (of the runner), `boot` (which boot of
 * the machine), `relay` (pid of the cat that carries output), `rt-path` (where the runtime directory lies, in RAM where
 * the machine has any: attributes, outputs, FIFOs; talkScripts.ts tells of those of bl) and `bin` (bl).
 */
import { environment } from "./environment.js";
import { quote } from "../shell/quote.js";
import { OUTPUT_LIMIT } from "./outputs.js";
import type { ProgramRequest } from "./request.js";
import {
  endHolder,
  endCoordination,
  holder,
  setUpCoordination,
  closeCoordination,
} from "../coordination/holderScript.js";
import { type ScriptContext, block, superuser } from "../shell/channelScript.js";

/** Seconds of sleep between two looks; not every sleep knows fractions. */
const nap = "{ sleep 0.1 2>/dev/null || sleep 1; }";
/**
 * The program's output begins after the line that starts so; the line ends with the nonce of the mark that the output
 * ends at.
 */
export const beginMark = (nonce: string): string => `bl-begin ${nonce} `;
export const endMark = (nonce: string): string => `bl-end ${nonce}\n`;

/**
 * Stages the tar that follows on standard input and starts the program, unless somebody has claimed the directory. When
 * the result is told, waits for `dismissal` on the same input and removes what the step has left: another channel for
 * that would cost as much as the program's own.
 */
export function runnerScript(
  context: ScriptContext,
  request: Pick<
    ProgramRequest,
    "start" | "args" | "env" | "folders" | "attributes" | "sudo" | "bundle" | "keep" | "coordination"
  >,
): string {
  const talks = request.coordination !== undefined;
  const feed = 'printf %s "$w" >"$r/in"';
  return block([
    `u=$(umask); umask 077; ${enter(context, "runtime")}`,
    // Before anything of that step is overwritten; the claim itself comes last, right before the start.
    "[ ! -e .bl/started ] || bl_say fail claimed",
    "command -v tar >/dev/null 2>&1 || bl_say fail no-tar",
    // -o: root must not give the files to the numbers that stand in the archive.
    `${exactly(request.bundle.size)} | tar -xof - || bl_say fail unpack`,
    "[ -f .bl/staged ] || bl_say fail cut-off",
    superuser(request.sudo),
    "if command -v setsid >/dev/null 2>&1; then g=setsid; else g=; set -m; case $- in *m*) ;; *) bl_say fail no-setsid ;; esac; fi",
    runtimeDirectory(talks),
    `printf %s ${quote(JSON.stringify(request.attributes))} >"$r/attributes" && : >"$r/output" || bl_say fail runtime`,
    `echo ${context.nonce} >.bl/nonce; { read -r b </proc/sys/kernel/random/boot_id && echo "$b" >.bl/boot; } 2>/dev/null`,
    // From here on this step counts as started, whatever happens.
    `${claim} || bl_say fail claimed; set +C`,
    relay(context.nonce),
    talks ? setUpCoordination : ":",
    `w=${quote(wrapper(context.nonce, environment(request)))}`,
    `{ ${talks ? `exec ${closeCoordination}; ` : ""}bl_relay; } 3<"$r/pipe" </dev/null 2>/dev/null & ${talks ? holder(`${feed}; w=`, context.nonce) : `{ ${feed}; } &`}`,
    `$g /bin/sh -s "$r" "$S" "$u" <"$r/in" >"$r/pipe" 2>&1${talks ? ` ${closeCoordination}` : ""} & p=$!; w=; wait $p; c=$?`,
    talks ? endHolder : ":",
    trailer(context.nonce, "$c"),
    `while read -r w; do [ "$w" != ${quote(dismissal(context.nonce))} ] || { ${talks ? `${endCoordination}; ` : ""}${remove(request.keep ? '"$r"' : '"$r" "$d"')}; bl_say removed; }; done`,
  ]);
}

/** What a runner that has told its result is given to remove what the step has left. */
export const dismissal = (nonce: string): string => `bl-dismissed ${nonce}`;

/**
 * Ends the step's process group: TERM, and KILL after `graceMs`. A step that has not started is claimed, so that it
 * never will.
 */
export function killScript(context: ScriptContext, graceMs: number, sudo: boolean): string {
  return block([
    enter(context, "create"),
    superuser(sudo),
    `${claim} && bl_say never; set +C`,
    `i=0; while [ ! -s .bl/pid ] && [ $i -lt 20 ]; do i=$((i+1)); ${nap}; done`,
    'p=$(cat .bl/pid) || bl_say killed; [ -n "$p" ] || bl_say killed',
    `${sameBoot} || bl_say killed`,
    `if [ -d /proc/$p ] && [ -d /proc/self ]; then ${ownWrapper} || bl_say killed; fi`,
    // One process that may be signalled makes kill succeed, though sudo's child was not: so both, and the machine's
    // words go nowhere.
    'bl_kill() { kill -$1 -$p 2>/dev/null; [ -z "$S" ] || $S kill -$1 -$p 2>/dev/null; }',
    groupThere,
    "bl_kill TERM",
    `i=0; while bl_there && [ $i -lt ${Math.ceil(graceMs / 100)} ]; do i=$((i+1)); ${nap}; done`,
    "bl_there && bl_kill KILL",
    "bl_say killed",
  ]);
}

/**
 * Finds out what became of a step: waits for its end and tells it in the runner's own words, or claims it if it never
 * started.
 */
export function recoverScript(context: ScriptContext, sudo: boolean): string {
  return block([
    `umask 077; ${enter(context, "create")}`,
    `${claim} && bl_say never; set +C`,
    superuser(sudo),
    "r=$(cat .bl/rt-path); n=$(cat .bl/nonce)",
    // The relay's cat may hang on a connection that nobody reads any more, and the program on the cat.
    'k=$(cat .bl/relay 2>/dev/null) && [ -n "$k" ] && kill -9 $k 2>/dev/null',
    `${sameBoot} || [ -s .bl/exit ] || bl_say lost restarted`,
    `i=0; while [ ! -s .bl/pid ] && [ $i -lt 50 ]; do i=$((i+1)); ${nap}; done`,
    'p=$(cat .bl/pid 2>/dev/null); [ -n "$p" ] || bl_say lost no-start',
    // The words keep the channel honest: when nobody listens any more, writing them ends this script.
    `i=0; until [ -s .bl/exit ]; do kill -0 $p 2>/dev/null && { [ ! -d /proc/self ] || ${ownWrapper}; } || { [ -s .bl/exit ] || bl_say lost killed; }; [ $i -gt 0 ] || printf '\\nbl-lives ${context.nonce} -\\n' >&2; i=$((i+1)); [ $((i%10)) -ne 0 ] || printf '\\nbl-wait\\n' >&2; ${nap}; done`,
    `i=0; until grep -q "bl-end $n" "$r/rest" 2>/dev/null || [ $i -ge 10 ]; do i=$((i+1)); ${nap}; done`,
    `printf '%s%s\\n' ${quote(beginMark(context.nonce))} "$n"`,
    'cat "$r/rest" 2>/dev/null',
    "printf 'bl-end %s\\n' \"$n\"",
    // A restart takes the outputs with it, since they lie in RAM.
    '[ -e "$r/output" ] || bl_say lost outputs',
    trailer(context.nonce, "126"),
  ]);
}

/** Removes the runtime directory, and with `everything` the step's directory too. */
export function cleanupScript(context: ScriptContext, everything: boolean, sudo: boolean): string {
  return block([
    enter(context, "existing"),
    superuser(sudo),
    `r=$(cat .bl/rt-path 2>/dev/null) && case $r in /*) ${endCoordination}; ${remove('"$r"')} ;; esac`,
    everything ? remove('"$d"') : ":",
    "bl_say removed",
  ]);
}

function remove(paths: string): string {
  return `cd / && { rm -rf ${paths} || { [ -n "$S" ] && $S rm -rf ${paths}; }; } || bl_say fail remove`;
}

/**
 * Passes on so many bytes of standard input, and leaves what follows. Where head knows no -c, dd does it a byte at a
 * time; one that was ended because tar had enough has not failed.
 */
function exactly(bytes: number): string {
  return `{ head -c ${bytes} 2>/dev/null || [ $? -gt 128 ] || dd ibs=1 count=${bytes} 2>/dev/null; }`;
}

/**
 * Goes to the step's directory; `bl_say` tells the launcher a verdict and ends the script. With "runtime" the runtime
 * directory is made by the same mkdir where memory can be had: nobody can have made one of that name, since nobody
 * knows the nonce. A script that fails takes it away.
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

/**
 * Makes the step one's own, with a file that only one can make: no program needs to be loaded for that. The shell's own
 * refusal goes nowhere.
 */
const claim = "set -C; { true >.bl/started; } 2>/dev/null";
/** In RAM, because attributes may be secret; a machine without any gets a directory that only its user can read. */
const runtimeDirectory = (talks: boolean): string =>
  [
    '[ -n "$r" ] || r=$(mktemp -d "${XDG_RUNTIME_DIR:-/nowhere}/bl.XXXXXXXXXX" 2>/dev/null) || { r=$d/.bl/rt; mkdir "$r" || bl_say fail runtime; }',
    `printf '%s\\n' "$r" >.bl/rt-path && mkfifo "$r/in" "$r/pipe"${talks ? ' "$r/req" "$r/up"' : ""} || bl_say fail runtime`,
  ].join("\n");

/**
 * Carries the program's output. When nobody takes it any more, the first MiB is kept for whoever asks and the rest goes
 * nowhere: the program, or a server that it left behind, never waits and never gets SIGPIPE. `ulimit -f` counts blocks
 * of 512 bytes; every byte is in the file as soon as cat has it, which neither `head -c` nor `dd` promises.
 */
function relay(nonce: string): string {
  return [
    `bl_relay() { trap '' PIPE HUP; printf '%s\\n' ${quote(beginMark(nonce) + nonce)}`,
    "cat <&3 & echo $! >.bl/relay; wait $! && exit 0; rm -f .bl/relay",
    '( ulimit -c 0; ulimit -f 2048; trap - PIPE; exec cat <&3 >"$r/rest" ) || exec cat <&3 >/dev/null; }',
  ].join("\n");
}

/**
 * The leader of the program's process group, a shell that reads all this before it does any of it. It outlives a TERM
 * to the group, so that the exit code of a program that ends on TERM is written down. $1 is the runtime directory, $2
 * what makes a command root's, $3 the user's umask.
 */
function wrapper(nonce: string, program: string): string {
  return block([
    "umask 077",
    "trap : TERM INT HUP",
    // One short write each: who reads them takes an empty file for none.
    "echo $$ >.bl/pid || exit 126",
    // The user's own e may be exported; this one may hold secrets.
    `unset e; e=${quote(program)}; exec </dev/null`,
    // As root, another shell; else this one's child will do, which is a program less to load.
    'if [ -z "$2" ]; then ( umask "$3"; eval "$e" ); c=$?',
    'else printf %s "$e" | $2 /bin/sh -c \'umask "$2"; eval "$(cat)"\' bl "$1" "$3"; c=$?; fi',
    "echo $c >.bl/exit",
    `printf '%s' ${quote(endMark(nonce))}`,
    "exit $c",
  ]);
}

/**
 * The result, on standard error: exit code, size of the outputs, the outputs. Without an exit code somebody killed the
 * wrapper.
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
 * Whether the group $p has a living process. kill counts zombies too, and in a container whose first process buries
 * none, a killed program's orphans stay zombies: so /proc is asked where there is one (after the name in brackets:
 * state, parent, group).
 */
const groupThere = [
  'bl_there() { kill -0 -$p 2>/dev/null || { [ -n "$S" ] && $S kill -0 -$p 2>/dev/null; } || return 1',
  "[ -d /proc/self ] || return 0",
  "for s in /proc/[0-9]*/stat; do { read -r l <$s; } 2>/dev/null || continue",
  'l=${l##*) }; set -- $l; [ "$1" != Z ] && [ "$3" = "$p" ] && return 0; done; return 1; }',
].join("\n");

/** A pid means nothing after a restart. Machines without /proc are taken at their word. */
const sameBoot =
  '{ [ ! -s .bl/boot ] || [ "$(cat .bl/boot)" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ]; }';
/** The wrapper is the process that works in this directory; another one has got its number since. */
const ownWrapper = '[ /proc/$p/cwd -ef "$d" ]';
