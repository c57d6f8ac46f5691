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

# Nothing may restart a container while they go.
progs="traefik-2 relay traefik registry coredns kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd"
for n in $progs; do alive "$n" && { kill "$(pid_of "$n")"; kill -CONT "$(pid_of "$n")"; } 2>/dev/null; done
for n in $progs; do stop "$n" 1; done
if alive containerd; then
  for c in $(timeout 10 "$CACHE/bin/ctr" -a "$RUN/containerd.sock" -n k8s.io tasks ls -q 2>/dev/null); do
    timeout 5 "$CACHE/bin/ctr" -a "$RUN/containerd.sock" -n k8s.io tasks kill -s KILL -a "$c" 2>/dev/null &
  done; wait
  for c in $(timeout 10 "$CACHE/bin/ctr" -a "$RUN/containerd.sock" -n k8s.io containers ls -q 2>/dev/null); do
    ( timeout 5 "$CACHE/bin/ctr" -a "$RUN/containerd.sock" -n k8s.io tasks rm -f "$c"
      timeout 5 "$CACHE/bin/ctr" -a "$RUN/containerd.sock" -n k8s.io containers rm "$c" ) > /dev/null 2>&1 &
  done; wait
  stop containerd 10
fi
# Shims (and their containers) that are left: only those of our own socket.
for p in /proc/[0-9]*; do
  pid=${p#/proc/}
  tr '\0' ' ' < "$p/cmdline" 2>/dev/null | grep "containerd-shim-runc-v2 .*-address $RUN/containerd.sock" > /dev/null || continue
  kids=$(cat "$p"/task/*/children 2>/dev/null)
  kill -9 $kids "$pid" 2>/dev/null
done

if [ "$(id -u)" = 0 ]; then
  # Mounts below our directories, deepest first (rootfs, volumes, netns).
  for try in 1 2 3; do
    m=$(awk -v a="$RUN/" -v b="$LIB/" 'index($5,a)==1||index($5,b)==1{print $5}' /proc/self/mountinfo | sort -r)
    [ -n "$m" ] || break
    while read -r d; do umount "$d" 2>/dev/null || umount -l "$d" 2>/dev/null; done <<< "$m"
  done
  if [ "$mode" = full ] && [ -x "$CACHE/bin/nft" ]; then
    for f in ip ip6; do "$CACHE/bin/nft" delete table $f kube-proxy 2>/dev/null; done
    "$CACHE/bin/nft" delete table ip "$FAULT_TABLE" 2>/dev/null
  fi
  # cgroups of pods
  if [ "$mode" = full ]; then
    for d in /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/*/k8s.io; do
      [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null
    done
  fi
  [ "$mode" = control ] || ip link del "$NODE_DEV" 2>/dev/null
  if [ -f "$RUN/sysctl.old" ]; then
    while read -r k v; do echo "$v" > "/proc/sys/${k//.//}" 2>/dev/null; done < "$RUN/sysctl.old"
  fi
fi
if [ "${1:-}" = --keep-logs ] && [ -d "$RUN/logs" ]; then rm -rf "$CACHE/last-logs"; cp -r "$RUN/logs" "$CACHE/last-logs"; fi
rm -rf "$LIB" "$RUN"
exit 0
