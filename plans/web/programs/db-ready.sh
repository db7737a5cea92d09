#!/bin/sh
# Writes a value, reads it back; if that fails, shows what the server said last.
set -eu

if ! node db-ready.mjs; then
  tail -n 5 "$HOME/bootlevel-db/$BOOTLEVEL_RUN/server.log" >&2
  exit 1
fi
