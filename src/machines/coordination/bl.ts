/**
 * The program `bl`. It is staged with every program and is in its PATH. It is POSIX sh, so that nothing has to be
 * installed. It never blocks on a FIFO that nobody serves:
 *
 * - It opens its own answer FIFO for reading and writing before it sends the request, so no answer is lost.
 * - Whoever serves requests holds `up` open for writing. A watcher process waits for the end of `up`, which comes at
 *   once if nobody serves, and then gives the answer "10" itself.
 * - It opens `req` for writing only, so a write fails with EPIPE when the last reader has gone.
 * - When nobody serves requests any more, it tries again until its time is over: the launcher connects again, or another
 *   one takes over. The request keeps its id, and says that it was sent before.
 *
 * Requests are lines of at most 512 bytes, which a FIFO transfers atomically. Only its user can enter the runtime
 * directory, so files in it can be world-writable: a program under sudo is root, the relay is not.
 */
import { MESSAGE_LIMIT } from "./blRequest.js";

export const BL_SCRIPT = `#!/bin/sh
# A program's way to talk to its launcher (docs/bl.md). Only builtins and cat touch values.
LC_ALL=C; export LC_ALL
# A program may have closed it; not every shell can do without.
true >&2 || exec 2>/dev/null
time=60 limit=
fail() { printf 'bl: %s\\n' "$2" >&2; exit "$1"; }
usage() { fail 2 "$1; see bl --help"; }
gone() { fail 10 'the launcher is not there'; }
help() { cat <<'END'
bl get [SERVICE[-N]:]NAME [--timeout T] [--no-wait] [--ignore-abort] [--raw] [--json]
                          prints a value; waits until it is set; all replicas: SERVICE-*:NAME
bl set NAME [VALUE]       publishes a value; without VALUE, standard input
bl barrier NAME [--parties N] [--timeout T] [--ignore-abort]
                          waits until all are there
bl abort REASON...        tells everybody who waits to give up
bl say TEXT...            tells the people who watch the launch
bl random [--length N]    prints random letters and digits (16)
T: seconds, or a number with s, m, h or d; 60 unless told, 0 for ever; a launcher that is away is waited for as long
Exit codes: 0 done, 1 not set, 2 usage, 7 unknown name, 8 aborted, 9 timed out, 10 no launcher
END
}
name() {
  case $1 in ''|-*|*[!A-Za-z0-9_.:*-]*) usage "not a name: '$1'" ;; esac
  [ \${#1} -le 200 ] || usage 'the name is too long'
}
number() { case $2 in ''|0*|*[!0-9]*|?????*) usage "$1 takes a number from 1 to 9999" ;; esac; }
duration() {
  case \${1%[smhd]} in ''|.|*.*.*|*[!0-9.]*|??????????*) usage "--timeout takes seconds, or a number with s, m, h or d; not '$1'" ;; esac
}
# Reads the options that the command in $1 knows; the rest is one name.
options() {
  known=$1; shift; o= time=60 flags= parties=- raw= length=16
  while [ $# -gt 0 ]; do
    case $1 in --*) case $known in *" \${1%%=*} "*) ;; *) usage "unknown option $1" ;; esac ;; esac
    case $1 in
      --no-wait) flags=\${flags}n ;;
      --ignore-abort) flags=\${flags}i ;;
      --raw) raw=1 ;;
      --json) flags=\${flags}j ;;
      --*=*) v=\${1#*=}; k=\${1%%=*}; shift; set -- "$k" "$v" "$@"; continue ;;
      --*) [ $# -gt 1 ] || usage "$1 takes a value"
        case $1 in --timeout) duration "$2"; time=$2 ;; --parties) number "$1" "$2"; parties=$2 ;; --length) number "$1" "$2"; length=$2 ;; esac
        shift ;;
      *) [ -z "$o" ] || usage "one name, not '$1' too"; name "$1"; o=$1 ;;
    esac
    shift
  done
}
# Seconds since a moment in the past.
now() { { read -r s </proc/uptime; } 2>/dev/null || s=$(date +%s); s=\${s%%[!0-9]*}; }
# How long this bl may take, in whole seconds; 0 for ever.
seconds() {
  u=1; case $1 in *m) u=60 ;; *h) u=3600 ;; *d) u=86400 ;; esac
  v=\${1%[smhd]} p=\${1%%[!0-9]*}; q=\${v#"$p"}; q=\${q#.}
  while case $p in 0?*) ;; *) false ;; esac; do p=\${p#0}; done
  limit=$((\${p:-0} * u))
  case $q in ?*) limit=$((limit + (\${q%"\${q#?}"} * u + 9) / 10)) ;; esac
  case $limit:$v in 0:*[1-9]*) limit=1 ;; esac
}
connect() {
  t=\${BOOTLEVEL_COORDINATION:-/nowhere} n=0 w= c= s=
  [ -p "$t/req" ] && [ -p "$t/up" ] || gone
  umask 0; trap '' PIPE
  # A pid may be used again. With the time of its start it names this request, however often it is sent.
  { read -r s </proc/$$/stat; } 2>/dev/null
  set -f; set -- "\${1-}" \${s##*) }; set +f
  b=$$\${21:+.\${21}} i=$$\${21:+.\${21}}$1
  now; began=$s
  until mkfifo "$t/q.$i" 2>/dev/null; do n=$((n+1)); i=$b.$n; [ $n -lt 9 ] || gone; done
  trap bye EXIT; trap 'leave 129' HUP; trap 'leave 130' INT; trap 'leave 143' TERM
}
bye() {
  # It is waited for where nobody sees that bash tells of its end.
  [ -z "$w" ] || { kill -9 "$w"; wait "$w"; } 2>/dev/null
  case $i:$c in *.0:0) ;; *) rm -f "$t/q.$i" "$t/p.$i" "$t/v.$i" ;; esac
}
# Withdraws a request that waits. Not in bye: some shells have closed 6 by then.
leave() {
  [ -z "$w" ] || [ -n "$c" ] || printf '%s drop - - - - 0\\n' "$i" >&6
  exit "$1"
}
# Whether a launcher can still come, and in how many seconds: left.
still() {
  [ -p "$t/req" ] && [ -p "$t/up" ] && [ ! -e "$t/over" ] || return 1
  [ -n "$limit" ] || seconds "$time"
  left=0; [ "$limit" -ne 0 ] || return 0
  now; left=$((limit - s + began)); [ $left -gt 0 ]
}
# Sends the request in "$@" (verb, name, time, flags, parties, size) and waits for its answer: c, and m for people.
# While nobody serves it, it waits for the next who does, and sends it again, marked so that nothing is done twice.
ask() {
  pause=0.1
  while once "$@"; [ "$c:$m" = 10: ]; do
    [ -z "$w" ] || { kill -9 "$w"; wait "$w"; } 2>/dev/null; w= c=
    sleep $pause 2>/dev/null || sleep 1
    case $pause in 0.1) pause=0.3 ;; *) pause=1 ;; esac
    still || gone
    case $3 in -) set -- "$1" "$2" - "$4" "$5" "$6" ;; *) set -- "$1" "$2" $left "$4" "$5" "$6" ;; esac
    case $4 in -) set -- "$1" "$2" "$3" r "$5" "$6" ;; *r) ;; *) set -- "$1" "$2" "$3" "$4r" "$5" "$6" ;; esac
  done
  [ -z "$m" ] || printf 'bl: %s\\n' "$m" >&2
}
once() {
  m=
  { {
    # By exec: bash keeps what a redirection closes, and would serve itself.
    exec 5>&- 7>&-
    { read -r x <&4; echo 10 >&3; } </dev/null >/dev/null 2>&1 6>&- 8>&- &
    w=$!
    printf '%s\\n' "$i $*" >&6 && read -r c m <&3
    c=\${c:-10}
  } 3<>"$t/q.$i" 5<>"$t/up" 4<"$t/up" 7<>"$t/req" 6>"$t/req"; } 8>&2 2>/dev/null
  case $c in 0|[1-9]|10) ;; *) gone ;; esac
}
# Sends what lies in p.$i with the request.
send() {
  n=$(wc -c <"$t/p.$i") && n=$((n)) || fail 10 "cannot write to $t"
  [ $n -le ${MESSAGE_LIMIT} ] || fail 2 'the value is longer than ${MESSAGE_LIMIT} bytes, which is what is allowed'
  ask "$1" "$2" - - - $n; exit "$c"
}
verb=\${1-}; [ $# -eq 0 ] || shift
case $verb in
  get) options ' --timeout --no-wait --ignore-abort --raw --json ' "$@"; [ -n "$o" ] || usage 'get takes a name'
    connect; ask get "$o" "$time" "\${flags:--}" - 0
    # In one piece, so that those who print at once do not mix.
    [ "$c" != 0 ] || { { [ -n "$raw" ] || echo >>"$t/v.$i"; } && cat "$t/v.$i"; } || fail 2 'the value cannot be printed'
    exit "$c" ;;
  barrier) options ' --timeout --parties --ignore-abort ' "$@"; [ -n "$o" ] || usage 'barrier takes a name'
    # Who is let go with others goes at once: the relay takes away what one such leaves (q.ID.0), since no program can be started in no time.
    connect .0; ask barrier "$o" "$time" "\${flags:--}" "$parties" 0; exit "$c" ;;
  set) [ $# -eq 1 ] || [ $# -eq 2 ] || usage 'set takes a name and a value'
    name "$1"; [ $# -eq 2 ] || { true 9<&0; } 2>/dev/null || usage 'the value is to come on standard input, which is closed'
    connect
    # One byte more than is allowed tells as much as an endless input.
    if [ $# -eq 2 ]; then printf %s "$2"; else head -c ${MESSAGE_LIMIT + 1} 2>/dev/null || { [ ! -s "$t/p.$i" ] && cat; }; fi >"$t/p.$i" || fail 10 "cannot write to $t"
    send set "$1" ;;
  abort|say) [ $# -gt 0 ] || usage "$verb takes a text"
    connect; printf %s "$*" >"$t/p.$i" || fail 10 "cannot write to $t"
    send "$verb" - ;;
  random) options ' --length ' "$@"; [ -z "$o" ] || usage 'random takes no name'
    v=$(tr -dc A-Za-z0-9 </dev/urandom 2>/dev/null | dd bs=1 count="$length" 2>/dev/null)
    [ \${#v} -eq "$length" ] || fail 2 'no random bytes here'
    printf '%s\\n' "$v" ;;
  -h|--help|help) help ;;
  *) usage "unknown command '$verb'" ;;
esac
`;
