#!/bin/bash
# Whether this machine can hold the whole test cluster: exits 0, or says in one line what it lacks.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
no() { echo "this machine cannot hold the test cluster: $*"; exit 1; }
free_gib() { df --output=avail -BG "$1" | tail -n 1 | tr -dc 0-9; }

[ "$(id -u)" = 0 ] || no "it needs root, for network devices and containers"
command -v apt-get > /dev/null || no "it needs Debian's packages"
[ "$(awk '/^MemAvailable/{print int($2 / 1048576)}' /proc/meminfo)" -ge 4 ] || no "it needs 4 GiB of free memory"
mkdir -p "$CACHE"
[ "$(free_gib "$CACHE")" -ge 8 ] || no "it needs 8 GiB of free disk for programs and their build"
unshare --mount --net --pid --fork true 2> /dev/null || no "it may not make namespaces"
if ! ip link show "$NODE_DEV" > /dev/null 2>&1; then
  ip link add hgk-can type bridge 2> /dev/null || no "it may not make network devices"
  ip link delete hgk-can
fi
group=$(find /sys/fs/cgroup -maxdepth 1 -name memory -o -maxdepth 1 -name cgroup.controllers | head -n 1)
[ -d "$group" ] || group=/sys/fs/cgroup
mkdir "$group/hgk-can" 2> /dev/null || no "it may not make cgroups"
rmdir "$group/hgk-can"
