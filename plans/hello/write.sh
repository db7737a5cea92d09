#!/bin/sh
# Composes a greeting and publishes it. An output is a line name=value, appended to the file $BOOTLEVEL_OUTPUT.
set -eu

echo "composing a greeting for $NAME"
printf 'greeting=Hello, %s!\n' "$NAME" >> "$BOOTLEVEL_OUTPUT"
