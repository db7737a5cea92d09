#!/bin/sh
# Checks the web server, which checks the database. On failure, shows the server's last output.
set -eu

if ! node web-ready.mjs; then
  tail -n 5 "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" >&2
  exit 1
fi
