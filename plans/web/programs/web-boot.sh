#!/bin/sh
# Starts a web server in the background and publishes its port.
set -eu

# On Linux every local machine has its own loopback address. Elsewhere they share 127.0.0.1 and need different ports.
case "$LISTEN" in
  127.0.0.1 | localhost) PORT=$((BASE_PORT + BOOTLEVEL_REPLICA)) ;;
  *) PORT=$BASE_PORT ;;
esac
export PORT

pid="$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.pid"
if [ -f "$pid" ] && kill "$(cat "$pid")" 2> /dev/null; then
  echo "stopping the server of an earlier boot"
  sleep 1
fi

nohup node web-server.mjs > "$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE.log" 2>&1 < /dev/null &
echo $! > "$pid"
echo "$BOOTLEVEL_SERVICE started on $LISTEN:$PORT, process $!, database $DB ($CLUSTER)"
echo "port=$PORT" >> "$BOOTLEVEL_OUTPUT"
