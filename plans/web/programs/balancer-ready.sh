#!/bin/sh
# Every backend must answer through the balancer; if that fails, shows what the balancer said last.
set -eu

if ! node balancer-ready.mjs; then
  tail -n 5 "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" >&2
  exit 1
fi
