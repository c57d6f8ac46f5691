#!/bin/bash
# Stop the cluster and remove what it made: processes, containers, mounts,
# network namespaces, nft tables, cgroups, the node device, changed sysctls and
# all state. Safe to run again, and after an interrupted up.sh. A cluster that was
# taken is only forgotten.
#   down.sh [--keep-logs]
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ -d "$RUN" ] || exit 0
own_lock "$RUN/lock" 60
mode=$(cat "$RUN/mode" 2>/dev/null || echo full)
if [ "$mode" = taken ]; then say "left the cluster of $(jq -r .kubeconfig "$RUN/cluster.json") as it is"; rm -rf "$RUN"; exit 0; fi

"$HERE/node.sh" down

# Nothing may restart a container while they go.
progs="traefik-2 relay traefik registry coredns kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd"
for n in $progs; do alive "$n" && { kill "$(pid_of "$n")"; kill -CONT "$(pid_of "$n")"; } 2>/dev/null; done
for n in $progs; do stop "$n" 1; done
end_containers

if [ "$(id -u)" = 0 ]; then
  unmount
  if [ "$mode" = full ] && [ -x "$CACHE/bin/nft" ]; then
    for f in ip ip6; do "$CACHE/bin/nft" delete table $f kube-proxy 2>/dev/null; done
    "$CACHE/bin/nft" delete table ip "$FAULT_TABLE" 2>/dev/null
  fi
  # cgroups of pods
  if [ "$mode" = full ]; then
    remove_cgroups kubepods k8s.io
  fi
  [ "$mode" = control ] || ip link del "$NODE_DEV" 2>/dev/null
  if [ -f "$RUN/sysctl.old" ]; then
    while read -r k v; do echo "$v" > "/proc/sys/${k//.//}" 2>/dev/null; done < "$RUN/sysctl.old"
  fi
fi
if [ "${1:-}" = --keep-logs ] && [ -d "$RUN/logs" ]; then rm -rf "$CACHE/last-logs"; cp -r "$RUN/logs" "$CACHE/last-logs"; fi
rm -rf "$LIB" "$RUN"
exit 0
