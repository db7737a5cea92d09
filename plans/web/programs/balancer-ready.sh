#!/bin/sh
# Checks that every backend answers through the balancer. On failure, shows the balancer's last output.
set -eu

if ! node balancer-ready.mjs; then
  tail -n 5 "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" >&2
  exit 1
fi
