#!/bin/sh
# Starts a web server with one page in the background, and publishes its port and that it is ready. Installs nothing.
set -eu
. ./fetch.sh

host=$(bl get host)
base="$HOME/$BOOTLEVEL_RUN-$BOOTLEVEL_SERVICE"
# If root starts Apache, it serves as another user, who cannot enter root's home, and on a local machine $TMPDIR is in
# there as well. So the page is in /tmp then.
if [ "$(id -u)" -eq 0 ]; then tmp=/tmp; else tmp=${TMPDIR:-/tmp}; fi
site=$(mktemp -d "$tmp/apache-test.XXXXXX")
echo "$site" > "$base.site"
mkdir "$site/htdocs"
# The mark distinguishes this server from another one on the same port.
mark=$(bl random)
echo "<html><body><h1>It works!</h1><!-- $mark --></body></html>" > "$site/htdocs/index.html"
chmod 755 "$site" "$site/htdocs"

find_server() {
  for apache in apache2 httpd /usr/sbin/apache2 /usr/sbin/httpd; do
    if "$apache" -v 2> /dev/null | grep -q Apache; then
      kind=apache
      return
    fi
  done
  for kind in node busybox python3; do
    if command -v "$kind" > /dev/null && { [ "$kind" != busybox ] || busybox --list | grep -qx httpd; }; then return; fi
  done
  echo "there is no Apache, Node.js, busybox with httpd or Python here" >&2
  exit 1
}

# Our own configuration, so that the system's is not used.
apache_conf() {
  echo "ServerRoot $site"
  echo "ServerName $host"
  echo "Listen $host:$1"
  echo "DocumentRoot $site/htdocs"
  echo "PidFile $site/httpd.pid"
  echo "ErrorLog $site/error.log"
  for modules in "${APACHE_MODULES:-}" /usr/lib/apache2/modules /usr/lib64/httpd/modules /usr/lib/httpd/modules /usr/libexec/apache2; do
    [ -d "$modules" ] || continue
    for module in mpm_event authz_core unixd dir mime; do
      if [ -f "$modules/mod_$module.so" ]; then echo "LoadModule ${module}_module $modules/mod_$module.so"; fi
    done
    break
  done
  echo '<IfModule mime_module>'
  echo 'TypesConfig /dev/null'
  echo 'AddType text/html .html'
  echo '</IfModule>'
  echo '<IfModule dir_module>'
  echo 'DirectoryIndex index.html'
  echo '</IfModule>'
  [ "$(id -u)" -ne 0 ] || {
    echo '<IfModule unixd_module>'
    echo 'User nobody'
    echo "Group $(id -gn nobody)"
    echo '</IfModule>'
  }
}

start() { # port
  case $kind in
    apache)
      apache_conf "$1" > "$site/httpd.conf"
      set -- "$apache" -DFOREGROUND -f "$site/httpd.conf"
      ;;
    node) set -- node page-server.mjs "$host" "$1" "$site/htdocs/index.html" ;;
    busybox) set -- busybox httpd -f -p "$host:$1" -h "$site/htdocs" ;;
    python3) set -- python3 -m http.server --bind "$host" --directory "$site/htdocs" "$1" ;;
  esac
  nohup "$@" > "$base.log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid" > "$base.pid"
}

# Waits until the server answers with our page. Fails if it has ended (the port is taken) or does not answer.
answers() { # port
  tries=0
  until fetch "http://$host:$1/" 2> /dev/null | grep -q "$mark"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 100 ] || ! kill -0 "$pid" 2> /dev/null; then return 1; fi
    sleep 0.1
  done
}

find_server
for port in 8080 8081 8082 8083 8084 8085 8086 8087 8088 8089; do
  start "$port"
  if answers "$port"; then
    echo "$kind serves http://$host:$port/, process $pid"
    bl set server "$kind"
    bl set port "$port"
    bl set ready yes
    exit 0
  fi
  kill "$pid" 2> /dev/null || :
done
echo "$kind did not answer on any port from 8080 to 8089 of $host; it said last:" >&2
# Apache says why it does not start in the one, and why it does not serve in the other.
for log in "$base.log" "$site/error.log"; do
  [ ! -s "$log" ] || tail -n 5 "$log" >&2
done
exit 1
