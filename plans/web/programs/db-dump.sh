#!/bin/sh
# Stops the database cleanly, prints its data into the run's log, and removes the data from the machine.
set -eu

data="$HOME/bootlevel-db/$BOOTLEVEL_RUN"
if [ ! -d "$data" ]; then
  echo "no data: the database was never started"
  exit 0
fi

if [ -f "$data/pid" ] && kill "$(cat "$data/pid")" 2> /dev/null; then
  tries=0
  while kill -0 "$(cat "$data/pid")" 2> /dev/null && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
fi

if [ -f "$data/data.log" ]; then
  echo "the last value of each key:"
  # A later line of the file replaces an earlier one with the same key.
  awk '{ last[$1] = $0 } END { for (key in last) print last[key] }' "$data/data.log" | sort
fi
rm -rf "$data"
rmdir "$HOME/bootlevel-db" 2> /dev/null || : # it may hold another run's data
