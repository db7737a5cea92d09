#!/bin/sh
# Stores the given greeting in a file. HOME belongs to the machine: files in it exist as long as the machine.
set -eu

file=$1
greeting=$2
printf '%s\n' "$greeting" > "$HOME/$file"
echo "$BOOTLEVEL_SERVICE received: $greeting"
