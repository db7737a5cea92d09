#!/bin/sh
# Exit code 0: the service works. Any other exit code: not yet.
set -eu

file=$1
expected=$2
found=$(cat "$HOME/$file")
if [ "$found" != "$expected" ]; then
  echo "the file says '$found', expected '$expected'" >&2
  exit 1
fi
echo "the greeting arrived: $found"
