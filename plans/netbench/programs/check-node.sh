#!/bin/sh
# The benchmark's programs need Node.js. This check fails before anybody waits for them.
set -eu
node -e 'if (Number(process.versions.node.split(".")[0]) < 18) throw new Error(`Node ${process.version} is too old: 18 is needed`)'
echo "Node $(node --version) at $(command -v node)"
