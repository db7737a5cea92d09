#!/bin/sh
# Asks the web server, which asks the database; if that fails, shows what the server said last.
set -eu

if ! node web-ready.mjs; then
  tail -n 5 "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" >&2
  exit 1
fi
