#!/usr/bin/env bash
# Two container registries for tests, on loopback: one open, one that demands a password.
#
#   registries.sh start DIR    start them with their state in DIR; DIR/env then holds the CORESPEC_REGISTRY* variables
#   registries.sh stop DIR     end the processes that DIR names and remove DIR
#
# Needs: apt-get install -y --no-install-recommends docker-registry apache2-utils
set -euo pipefail

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
readonly action=$1 state=$2

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

write_config() {
  local name=$1 port=$2
  mkdir -p "$state/$name"
  cat >"$state/$name.yml" <<CONF
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $state/$name}
  delete: {enabled: true}
http: {addr: "127.0.0.1:$port"}
CONF
}

serve() {
  local name=$1 port=$2
  setsid docker-registry serve "$state/$name.yml" >"$state/$name.log" 2>&1 &
  echo $! >"$state/$name.pid"
  for _ in $(seq 100); do
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$port" 2>/dev/null && return
    sleep 0.1
  done
  tail -n 20 "$state/$name.log" >&2
  exit 1
}

# With every process that this script starts in $state/*.pid, `stop` needs no search by name.
stop() {
  local file pid
  for file in "$state"/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -rf "$state"
}

start() {
  local part open locked password
  for part in docker-registry htpasswd; do
    command -v "$part" >/dev/null || { echo "registries.sh: $part is missing; see the top of this file" >&2; exit 1; }
  done
  mkdir -p "$state"
  open=$(free_port) locked=$(free_port)
  password=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
  write_config open "$open"
  write_config locked "$locked"
  (umask 077 && printf '%s' "$password" | htpasswd -i -B -c "$state/htpasswd" corespec 2>/dev/null)
  printf 'auth:\n  htpasswd: {realm: corespec, path: %s}\n' "$state/htpasswd" >>"$state/locked.yml"
  serve open "$open"
  serve locked "$locked"
  (
    umask 077
    cat >"$state/env" <<ENV
export CORESPEC_REGISTRY=127.0.0.1:$open
export CORESPEC_REGISTRY_AUTH=127.0.0.1:$locked
export CORESPEC_REGISTRY_USER=corespec
export CORESPEC_REGISTRY_PASSWORD=$password
ENV
  )
}

case $action in
  start) start ;;
  stop) stop ;;
  *) usage ;;
esac
