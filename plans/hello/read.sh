#!/bin/sh
# Keeps the greeting that it is given in a file. HOME is the machine's own: what lies there lives as long as the machine.
set -eu

file=$1
greeting=$2
printf '%s\n' "$greeting" > "$HOME/$file"
echo "$BOOTLEVEL_SERVICE received: $greeting"
