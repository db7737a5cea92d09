#!/bin/sh
# Tests whether the server returns a page, and whether it is the right one.
set -eu
. ./fetch.sh

bl get webserver.ready > /dev/null # waits until it is set
url="http://$(bl get webserver.host):$(bl get webserver.port)/"

if ! page=$(fetch "$url"); then
  bl set result "no page"
  echo "$url gives no page" >&2
  exit 1
fi
case $page in
  *"It works!"*) ;;
  *)
    bl set result "wrong page"
    echo "$url gives another page: $page" >&2
    exit 1
    ;;
esac
bl set result OK
bl say "$url works"
