#!/usr/bin/env bash
# A real S3 for tests: one Ceph monitor, one OSD that keeps its objects in memory, one RADOS gateway; all on loopback.
#
#   ceph_rgw.sh start DIR    start it with its state in DIR; DIR/env then holds the CORESPEC_S3_* variables
#   ceph_rgw.sh stop DIR     end the processes that DIR names and remove DIR
#
# CORESPEC_RGW_BYTES (2G) is what the gateway can hold, in memory.
# Needs: apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd
set -euo pipefail

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
readonly action=$1 state=$2

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

random_key() { python3 -c 'import secrets; print(secrets.token_hex(16))'; }

write_config() {
  local monitor=$1 gateway=$2
  cat > "$state/ceph.conf" <<CONF
[global]
fsid = $(python3 -c 'import uuid; print(uuid.uuid4())')
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon host = v2:127.0.0.1:$monitor
keyring = $state/keyring
run dir = $state/run
pid file = $state/run/\$name.pid
admin socket = $state/run/\$name.asok
log file = $state/log/\$name.log
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
[mon.a]
mon data = $state/mon
[osd.0]
osd data = $state/osd
osd objectstore = memstore
memstore device bytes = ${CORESPEC_RGW_BYTES:-2G}
osd max object name len = 256
osd max object namespace len = 64
[client.rgw]
rgw data = $state/rgw
rgw dns name = localhost
rgw frontends = beast endpoint=127.0.0.1:$gateway tcp_nodelay=1
CONF
}

write_keys() {
  local ring=$state/keyring
  ceph-authtool --create-keyring "$ring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$ring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$ring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  ceph-authtool "$ring" --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
}

# With every process that this script starts in $state/run/*.pid, `stop` needs no search by name.
stop() {
  local file pid
  for file in "$state"/run/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -rf "$state"
}

start() {
  local monitor gateway osd access secret
  local part
  for part in radosgw ceph-mon ceph-osd ceph-authtool; do
    command -v "$part" >/dev/null || { echo "ceph_rgw.sh: $part is missing; see the top of this file" >&2; exit 1; }
  done
  mkdir -p "$state"/{mon,osd,rgw,run,log}
  monitor=$(free_port) gateway=$(free_port) access=$(random_key) secret=$(random_key)
  write_config "$monitor" "$gateway"
  local conf=(-c "$state/ceph.conf")
  {
    write_keys
    monmaptool --create --fsid "$(sed -n 's/^fsid = //p' "$state/ceph.conf")" --addv a "v2:127.0.0.1:$monitor" "$state/monmap"
    ceph-mon "${conf[@]}" -i a --mkfs --monmap "$state/monmap" --keyring "$state/keyring"
    ceph-mon "${conf[@]}" -i a
    osd=$(python3 -c 'import uuid; print(uuid.uuid4())')
    ceph "${conf[@]}" osd new "$osd" 0
    ceph-osd "${conf[@]}" -i 0 --mkfs --osd-uuid "$osd"
    ceph-osd "${conf[@]}" -i 0
    radosgw "${conf[@]}" -n client.rgw
  } >"$state/log/start.log" 2>&1 || { tail -n 20 "$state/log/start.log" >&2; stop; exit 1; }
  for _ in $(seq 120); do
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$gateway" 2>/dev/null && break
    sleep 0.5
  done
  radosgw-admin "${conf[@]}" user create --uid corespec --display-name corespec \
    --access-key "$access" --secret-key "$secret" >"$state/log/user.log" 2>&1
  (
    umask 077
    cat > "$state/env" <<ENV
export CORESPEC_S3_ENDPOINT=http://127.0.0.1:$gateway
export CORESPEC_S3_ACCESS_KEY=$access
export CORESPEC_S3_SECRET_KEY=$secret
ENV
  )
}

case $action in
  start) start ;;
  stop) stop ;;
  *) usage ;;
esac
