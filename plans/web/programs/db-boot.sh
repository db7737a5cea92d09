#!/bin/sh
# Starts the database in the background. Its data is in this machine's home, separate for each run, and survives a restart.
set -eu

data="$HOME/bootlevel-db/$BOOTLEVEL_RUN"
mkdir -p "$data"

# A repeated boot replaces the server of an earlier one.
if [ -f "$data/pid" ] && kill "$(cat "$data/pid")" 2> /dev/null; then
  echo "stopping the server of an earlier boot"
  sleep 1
fi

if [ ! -f "$data/cluster_id" ]; then
  node -e 'console.log(require("node:crypto").randomUUID())' > "$data/cluster_id"
fi

# The server gets the token in its environment, the launcher in the output file. It is written nowhere else.
DB_TOKEN=$(node -e 'console.log(require("node:crypto").randomBytes(24).toString("hex"))')
export DB_TOKEN
DATA=$data nohup node db-server.mjs > "$data/server.log" 2>&1 < /dev/null &
echo $! > "$data/pid"
echo "database started on $LISTEN:$PORT, process $!, data in $data"

{
  echo "cluster_id=$(cat "$data/cluster_id")"
  echo "token=$DB_TOKEN"
} >> "$BOOTLEVEL_OUTPUT"
