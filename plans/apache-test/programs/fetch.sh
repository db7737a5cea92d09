# Sourced by other programs. `fetch URL` prints the page, and fails if the server does not return it. Nearly every machine has one of these tools.
fetch() {
  if command -v curl > /dev/null; then
    curl -fsS --max-time 10 "$1"
  elif command -v wget > /dev/null; then
    wget -q -T 10 -O - "$1"
  elif command -v busybox > /dev/null; then
    busybox wget -q -T 10 -O - "$1"
  elif command -v python3 > /dev/null; then
    python3 -c 'import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())' "$1"
  else
    node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(10_000) }).then(async (answer) => { process.stdout.write(await answer.text()); process.exitCode = answer.ok ? 0 : 1; })' "$1"
  fi
}
