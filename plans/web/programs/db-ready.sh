#!/bin/sh
# Writes a value and reads it back. On failure, shows the server's last output.
set -eu

if ! node db-ready.mjs; then
  tail -n 5 "$HOME/bootlevel-db/$BOOTLEVEL_RUN/server.log" >&2
  exit 1
fi
