#!/bin/bash
# A second node of the running cluster, on the same machine: a containerd and a kubelet with a root, an address, a
# pod network and cgroups of their own. Only pods that tolerate its taint "second" come to it.
#   node.sh        for as long as its input is open: whoever started it takes it away by ending, whatever way that is.
#                  Says "up" when it is ready. The line "lose" ends it as a cut of its power does, and it says "lost".
#   node.sh down   what one left that was killed itself; down.sh does it too
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
FIRST=$RUN NODE_2_NAME=$NODE_NAME-2 FAULT_TABLE=headgate-node
RUN=$RUN/second LIB=$LIB/second KUBELET_IP=$NODE_2_IP POD_CIDR=$POD_2_CIDR CGROUP=/headgate-second
export KUBECONFIG=$FIRST/admin.kubeconfig

down() {
  trap '' INT TERM
  [ -d "$RUN" ] || return 0
  # Nobody else can tell of its pods that they are gone.
  timeout 20 kubectl delete pods -A --field-selector "spec.nodeName=$NODE_2_NAME" --force --grace-period=0 > /dev/null 2>&1 || true
  timeout 10 kubectl delete node "$NODE_2_NAME" --ignore-not-found > /dev/null 2>&1 || true
  stop kubelet 5
  end_containers || true
  unmount
  nft delete table ip "$FAULT_TABLE" 2>/dev/null || true
  remove_cgroups "${CGROUP#/}" || true
  ip addr del "$NODE_2_IP/32" dev "$NODE_DEV" 2>/dev/null || true
  rm -rf "$LIB" "$RUN"
}

up() {
  umask 077
  mkdir -p "$RUN"/{pki,pids,logs,net.d} "$LIB"
  ln -s "$FIRST"/pki/ca.{crt,key} "$RUN/pki"; ln -s "$FIRST/certs.d" "$RUN"
  # The API server knows the first node's token; it knows whoever has a certificate of the cluster, too.
  ( cd "$RUN/pki"; cert kubelet "/O=system:nodes/CN=system:node:$NODE_2_NAME" "subjectAltName=DNS:$NODE_2_NAME,IP:$NODE_2_IP" )
  sed "s#user: {.*token.*}#user: { client-certificate: $RUN/pki/kubelet.crt, client-key: $RUN/pki/kubelet.key } }#" "$FIRST/kubelet.kubeconfig" > "$RUN/kubelet.kubeconfig"
  refill containerd.toml "$RUN/containerd.toml"; refill cni.conflist "$RUN/net.d/10-headgate.conflist"
  refill kubelet.yaml.in "$RUN/kubelet.yaml"; : > "$RUN/resolv.conf"
  echo 'registerWithTaints: [{ key: second, effect: NoSchedule }]' >> "$RUN/kubelet.yaml"
  ip addr replace "$NODE_2_IP/32" dev "$NODE_DEV"
  for d in /sys/fs/cgroup/*/tasks /sys/fs/cgroup/cgroup.controllers; do [ ! -e "$d" ] || mkdir -p "${d%/*}$CGROUP"; done
  start containerd containerd -c "$RUN/containerd.toml"
  until_ok 30 containerd CTR version
  for t in "$CACHE"/images/*.tar; do CTR images import "$t" > /dev/null; done
  start kubelet kube kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$RUN/kubelet.kubeconfig" --root-dir "$LIB/kubelet" \
    --hostname-override "$NODE_2_NAME" --node-labels second= --node-ip "$NODE_2_IP" --cert-dir "$RUN/pki" \
    --tls-cert-file "$RUN/pki/kubelet.crt" --tls-private-key-file "$RUN/pki/kubelet.key"
  until_ok 60 "second node" kubectl wait --for=condition=Ready --timeout=1s "node/$NODE_2_NAME"
}

# Silence first: a machine without power says not even that nobody listens.
lose() {
  local gone="{ $POD_2_CIDR, $NODE_2_IP }"
  nft "table ip $FAULT_TABLE { chain to { type filter hook postrouting priority -300; ip daddr $gone drop; }; chain from { type filter hook prerouting priority -300; ip saddr $gone drop; }; }"
  kill -9 "$(pid_of kubelet)" "$(pid_of containerd)"
  end_containers || true
}

case ${1:-} in
  '') ;;
  down) down; exit 0 ;;
  *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
[ "$(cat "$FIRST/mode" 2>/dev/null)" = full ] || die "there is no cluster with a node: up.sh first"
own_lock "$FIRST/second.lock" 600
down
trap '[ $? = 0 ] || tail -n 5 "$RUN"/logs/*.log >&2; down' EXIT
trap 'exit 130' INT TERM
up
echo up
while read -r line; do
  [ "$line" = lose ] || die "knows no \"$line\""
  lose
  echo lost
done
