#!/bin/sh
# The command by which a machine tells how far its first boot is.
[ "$1" = status ] || {
  echo "only status is known here" >&2
  exit 2
}
shift
for option; do
  case $option in
    -w | --wait)
      while [ ! -e /run/cloud-init/result ]; do
        printf .
        sleep 0.1
      done
      echo
      ;;
    -l | --long) long=yes ;;
  esac
done
state=$(cat /run/cloud-init/result 2> /dev/null || echo running)
case $state in degraded) echo "status: done" ;; *) echo "status: $state" ;; esac
if [ -n "$long" ]; then
  case $state in degraded) echo "extended_status: degraded done" ;; *) echo "extended_status: $state" ;; esac
  echo "boot_status_code: enabled-by-generator"
  echo "detail: DataSourceEc2Local"
  echo "errors:"
  [ -e /run/cloud-init/errors ] && sed 's/^/\t- /' /run/cloud-init/errors
fi
case $state in error) exit 1 ;; degraded) exit 2 ;; *) exit 0 ;; esac
