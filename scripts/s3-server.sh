#!/usr/bin/env bash
# An S3 server for tests: Ceph's gateway with one monitor and one storage daemon in memory, unprivileged,
# in one temporary folder, on free loopback ports. Prints one line of JSON
# {"endpoint","region","accessKeyId","secretAccessKey"} when it takes requests. Runs until its stdin
# closes or a signal stops it, and then removes every process it started and the folder.
#
#   apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
#   scripts/s3-server.sh            runs until Ctrl-D or Ctrl-C
#   scripts/s3-server.sh --check    only checks that the programs are installed
set -euo pipefail

programs=(radosgw radosgw-admin ceph ceph-mon ceph-osd ceph-authtool monmaptool)
for program in "${programs[@]}"; do
  if ! command -v "$program" >/dev/null; then
    echo "$program is missing: apt-get install --no-install-recommends" \
      'radosgw ceph-mon ceph-osd ceph-common' >&2
    exit 127
  fi
done

if [[ ${1:-} == --check ]]; then exit 0; fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-s3-XXXXXX")
pids=()
stop() {
  trap - EXIT
  trap '' TERM INT HUP
  # Bash reports every killed job.
  exec 2>/dev/null
  # The gateway comes first, because it waits long for a store that is gone.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -KILL "${pids[i]}" || true; done
  wait || true
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 129' HUP

read -r mon_port rgw_port < <(node -e '
  const servers = [1, 2].map(() => require("net").createServer().listen(0, "127.0.0.1"))
  Promise.all(servers.map((server) => require("events").once(server, "listening"))).then(() => {
    console.log(servers.map((server) => server.address().port).join(" "))
    for (const server of servers) server.close()
  })')

fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_initial_members = a
# Otherwise a client learns the cluster's id from the monitor, which refuses one that asks too early.
monmap = $folder/monmap
mon_host = [v1:127.0.0.1:$mon_port]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr2 = false
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_update_on_start = false
osd_crush_update_on_start = false
mon_max_pg_per_osd = 1000
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_data_avail_crit = 0
mon_data_avail_warn = 0
run_dir = $folder
admin_socket = $folder/\$name.asok
pid_file = $folder/\$name.pid
log_file = $folder/\$name.log
mon_cluster_log_file = $folder/cluster.log
crash_dir = $folder/crash
keyring = $folder/keyring
mon_data = $folder/mon
osd_data = $folder/osd
rgw_data = $folder/rgw
rgw_frontends = beast endpoint=127.0.0.1:$rgw_port
rgw_thread_pool_size = 32
rgw_enable_apis = s3
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_enable_quota_threads = false
rgw_run_sync_thread = false
CONF
mkdir "$folder"/{mon,osd,rgw,crash}
export CEPH_CONF="$folder/ceph.conf"

quietly() { "$@" >>"$folder/setup.log" 2>&1 </dev/null || fail "$1"; }
fail() {
  echo "s3-server: $1 failed" >&2
  tail -n 20 "$folder"/*.log >&2 || true
  exit 1
}
# While the monitor forms its quorum it sometimes refuses clients. Both commands may be repeated.
ask() {
  for ((i = 0; i < 20; i++)); do
    if timeout 30 ceph "$@" >>"$folder/setup.log" 2>&1 </dev/null; then return; fi
    sleep 0.2
  done
  fail "ceph $1 $2"
}
# Each runs in our foreground, so that the process id is its own. setsid keeps Ctrl-C for us alone.
start() {
  setsid "$@" -f >>"$folder/setup.log" 2>&1 </dev/null &
  pids+=($!)
}

quietly ceph-authtool "$folder/keyring" --create-keyring --gen-key -n mon. --cap mon 'allow *'
quietly ceph-authtool "$folder/keyring" --gen-key -n client.admin --cap mon 'allow *' \
  --cap osd 'allow *' --cap mgr 'allow *'
quietly monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon_port]" "$folder/monmap"
quietly ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/keyring"
start ceph-mon -i a
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
ask osd new "$osd_uuid"
ask osd crush create-or-move osd.0 1 root=default host=a
quietly ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
start ceph-osd -i 0
start radosgw -n client.rgw

access=tidemark
secret=$(node -p 'require("crypto").randomBytes(20).toString("hex")')
quietly timeout 300 radosgw-admin user create --uid tidemark --display-name tidemark \
  --access-key "$access" --secret-key "$secret"

for ((i = 0; ; i++)); do
  if (: <>"/dev/tcp/127.0.0.1/$rgw_port") 2>/dev/null; then break; fi
  if ((i == 3000)); then fail 'radosgw did not answer'; fi
  kill -0 "${pids[2]}" 2>/dev/null || fail radosgw
  sleep 0.1
done
printf '{"endpoint":"http://127.0.0.1:%s","region":"us-east-1","accessKeyId":"%s","secretAccessKey":"%s"}\n' \
  "$rgw_port" "$access" "$secret"

# Wait until stdin closes, in the background, so that a signal is handled at once.
cat <&0 >/dev/null &
pids+=($!)
wait $! || true
