#!/bin/sh
# Stops the server that this service's boot program started, and removes its files, so that a borrowed host is left as it was.
set -eu

base="$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE"
if [ -f "$base.pid" ]; then
  pid=$(cat "$base.pid")
  kill "$pid" 2> /dev/null || echo "it had ended already"
  tries=0
  while kill -0 "$pid" 2> /dev/null && [ "$tries" -lt 20 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
fi
rm -f "$base.pid" "$base.log"
