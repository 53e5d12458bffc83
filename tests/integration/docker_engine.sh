#!/usr/bin/env bash
# A real Docker engine for tests, with the base image that the catalogue's Dockerfiles name.
#
#   docker_engine.sh start DIR    use the engine that answers, else start one with its state in DIR; DIR/env then
#                                 holds CORESPEC_DOCKER
#   docker_engine.sh stop DIR     end the engine that `start` started, and remove DIR
#
# Where the base image can be pulled, it is. Elsewhere a stand-in bears its name: Debian's own Python from the
# machine's package mirror, with the certificates that this machine trusts.
# Needs: apt-get install -y --no-install-recommends docker.io debootstrap   (and root, unless an engine answers)
set -euo pipefail

readonly base=python:3.11-slim-bookworm

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
readonly action=$1 state=$2

fail() { echo "docker_engine.sh: $*" >&2; exit 1; }

answers() { docker version >/dev/null 2>&1; }

start_engine() {
  [ "$(id -u)" -eq 0 ] || fail "no Docker engine answers, and only root can start one"
  command -v dockerd >/dev/null || fail "dockerd is missing; see the top of this file"
  setsid dockerd --pidfile "$state/dockerd.pid" >"$state/dockerd.log" 2>&1 &
  for _ in $(seq 120); do
    answers && return
    kill -0 $! 2>/dev/null || break
    sleep 0.5
  done
  tail -n 20 "$state/dockerd.log" >&2
  fail "dockerd does not answer"
}

# The package mirror that this machine itself uses for Debian 12.
mirror() {
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -n 1
}

# The stand-in: a minimal Debian with Python 3.11, then one layer that makes it behave like the official image.
make_base() {
  local tree=$state/base layer=$state/layer site
  command -v debootstrap >/dev/null || fail "debootstrap is missing; see the top of this file"
  [ "$(id -u)" -eq 0 ] || fail "only root can make $base with debootstrap"
  site=$(mirror)
  [ -n "$site" ] || fail "apt knows no mirror of Debian 12 (bookworm), of which $base is made"
  debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
    bookworm "$tree" "$site" >"$state/debootstrap.log" 2>&1 ||
    { tail -n 20 "$state/debootstrap.log" >&2; fail "debootstrap failed"; }
  mkdir -p "$layer/certificates"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$layer/certificates/" \; 2>/dev/null || true
  cat >"$layer/Dockerfile" <<'DOCKERFILE'
FROM corespec-test-base:tree
COPY certificates/ /usr/local/share/ca-certificates/
RUN update-ca-certificates && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf python3 /usr/bin/python
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
  tar -C "$tree" --one-file-system --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' -c . |
    docker import --change 'CMD ["python3"]' - corespec-test-base:tree >/dev/null
  DOCKER_BUILDKIT=0 docker build --quiet --tag "$base" "$layer" >/dev/null 2>"$state/layer.log" ||
    { tail -n 20 "$state/layer.log" >&2; fail "$base could not be built"; }
  rm -rf "$tree" "$layer"
}

have_base() {
  docker image inspect "$base" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$base" >/dev/null 2>&1
}

start() {
  mkdir -p "$state"
  command -v docker >/dev/null || fail "docker is missing; see the top of this file"
  answers || start_engine
  have_base || make_base
  echo 'export CORESPEC_DOCKER=1' >"$state/env"
}

stop() {
  local pid
  if [ -e "$state/dockerd.pid" ]; then
    pid=$(cat "$state/dockerd.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  fi
  rm -rf "$state"
}

case $action in
  start) start ;;
  stop) stop ;;
  *) usage ;;
esac
