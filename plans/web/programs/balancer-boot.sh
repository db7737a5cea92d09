#!/bin/sh
# Starts the balancer in the background.
set -eu

pid="$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.pid"
if [ -f "$pid" ] && kill "$(cat "$pid")" 2> /dev/null; then
  echo "stopping the server of an earlier boot"
  sleep 1
fi

nohup node balancer-server.mjs > "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" 2>&1 < /dev/null &
echo $! > "$pid"
echo "balancer started on $LISTEN:$PORT, process $!, before $BACKEND_HOSTS (ports $BACKEND_PORTS)"
