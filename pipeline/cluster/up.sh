#!/bin/bash
# Start the cluster. Safe to run again: what runs already is left alone, what died is started anew.
#   up.sh                  control plane + node + registry + DNS + gateway (root)
#   up.sh --gateways 2     with a second gateway replica on an address of its own (fault.sh holds its configuration back)
#   up.sh --no-node        control plane + gateway, no kubelet (root)
#   up.sh --no-gateway     leave the gateway program out
#   up.sh --control-plane  etcd, apiserver, controller-manager, scheduler only; any user, on 127.0.0.1
#   up.sh --any ...        whichever of these runs already is good enough
#   up.sh --kubeconfig FILE | --kind NAME | --k3d NAME   take a cluster that exists, and start nothing
# HEADGATE_KUBECONFIG=FILE means --kubeconfig FILE. KUBECONFIG alone is not taken: it often leads to production.
# Says what the cluster is like in $HEADGATE_KUBE_RUN/cluster.json.
set -euo pipefail
mode=full gateway=1 gateways=1 any=0 taken=${HEADGATE_KUBECONFIG:-} from=
usage() { sed -n '3,9s/^#   //p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do case $1 in
  --control-plane) mode=control ;;
  --no-node) mode=nonode ;;
  --no-gateway) gateway=0 ;;
  --any) any=1 ;;
  --gateways) gateways=${2:-}; [[ $gateways =~ ^[12]$ ]] || usage; shift ;;
  --kubeconfig) taken=${2:-}; [ -n "$taken" ] || usage; shift ;;
  --kind | --k3d) from=${1#--}; name=${2:-}; [ -n "$name" ] || usage; shift ;;
  *) usage ;;
esac; shift; done
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
umask 077
mkdir -p "$RUN"
own_lock "$RUN/lock" 3600
now=$(cat "$RUN/mode" 2>/dev/null || true)

[ "$now" = "" ] && began=started || began="was running"
# Whoever interrupts the first start gets back what was there before it; a cluster that ran is left to run.
interrupted() { trap '' INT TERM; say "interrupted: taking away what was started"; exec 9>&-; "$HERE/down.sh"; exit "$1"; }
if [ "$began" = started ]; then trap 'interrupted 130' INT; trap 'interrupted 143' TERM; fi

# --- a cluster that exists -------------------------------------------------------
[ -z "$from" ] || command -v "$from" > /dev/null || { rm -rf "$RUN"; die "$from is needed to find the cluster \"$name\": install it, or give --kubeconfig FILE"; }
case $from in
  kind) taken=$RUN/taken.kubeconfig; kind get kubeconfig --name "$name" > "$taken" ;;
  k3d) taken=$RUN/taken.kubeconfig; k3d kubeconfig get "$name" > "$taken" ;;
esac
if [ -n "$taken" ] && [ "$taken" != "$RUN/admin.kubeconfig" ]; then
  [ -z "$now" ] || [ "$now" = taken ] || die "a cluster of our own runs: down.sh first"
  command -v kubectl > /dev/null || die "kubectl is needed to look at $taken"
  version=$(kubectl --kubeconfig "$taken" version -o json 2> "$RUN/error" | jq -r .serverVersion.gitVersion) || die "cannot use $taken: $(cat "$RUN/error")"
  [ "$(printf '%s\n' v1.29.0 "$version" | sort -V | head -1)" = v1.29.0 ] || die "Kubernetes 1.29 or newer needed: $taken has $version"
  echo taken > "$RUN/mode"
  jq -n --arg k "$taken" '{mode: "taken", kubeconfig: $k, gateways: [], ingresses: [], registry: null}' > "$RUN/cluster.json"
  say "took the cluster of $taken, Kubernetes $version"
  echo "export HEADGATE_KUBE_CLUSTER=$RUN/cluster.json KUBECONFIG=$taken"
  echo "# taken"
  exit 0
fi

# --- a cluster of our own -----------------------------------------------------------
case $now in
  '' | "$mode") ;;
  full) say "the whole cluster runs already"; mode=full ;;
  *) [ $any = 1 ] || die "runs in mode '$now': down.sh first"; mode=$now ;;
esac
[ "$mode" != control ] || NODE_IP=127.0.0.1
[ "$mode" = control ] || [ "$(id -u)" = 0 ] || die "needs root, as it makes network devices and containers: --control-plane does not"
if [ "$mode" = control ]; then "$HERE/build.sh" --control 9>&-; else "$HERE/build.sh" 9>&-; fi
mkdir -p "$RUN"/{pki,pids,logs,net.d,"certs.d/$NODE_IP:$REGISTRY_PORT"} "$LIB"
echo "$mode" > "$RUN/mode"
T0=$(date +%s%N); since() { echo $((($(date +%s%N) - T0) / 1000000)) ms; }

sysctl_set() { # keeps the old value for down.sh
  local f=/proc/sys/${1//.//}
  [ -e "$f" ] || return 0
  grep -q "^$1 " "$RUN/sysctl.old" 2>/dev/null || echo "$1 $(cat "$f")" >> "$RUN/sysctl.old"
  [ "$(cat "$f")" = "$2" ] || echo "$2" > "$f"
}

# --- keys, tokens, kubeconfigs (once per life of $RUN) -------------------------
if [ ! -f "$RUN/pki/done" ]; then
  ( cd "$RUN/pki"
    ec ca.key; openssl req -x509 -new -key ca.key -subj /CN=headgate-kube-ca -days 3650 -out ca.crt 2>/dev/null
    cert apiserver /CN=kube-apiserver "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP"
    cert kubelet-client "/O=system:masters/CN=kube-apiserver-kubelet-client" "extendedKeyUsage=clientAuth"
    cert kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "subjectAltName=DNS:$NODE_NAME,IP:$NODE_IP"
    openssl genrsa -out sa.key 2048 2>/dev/null; openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
    : > tokens.csv
    user() { # FILE USER GROUPS
      local t; t=$(openssl rand -hex 16); echo "$t,$2,$2,\"$3\"" >> tokens.csv
      cat > "$RUN/$1.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: "https://$NODE_IP:$API_PORT", certificate-authority-data: $(base64 -w0 < ca.crt) } }]
users: [{ name: u, user: { token: "$t" } }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
current-context: x
K
    }
    user admin admin system:masters
    user kube-controller-manager system:kube-controller-manager ""
    user kube-scheduler system:kube-scheduler ""
    user kube-proxy system:kube-proxy ""
    user coredns coredns ""
    user kubelet "system:node:$NODE_NAME" system:nodes
    touch done )
  say "keys made ($(since))"
fi
export KUBECONFIG=$RUN/admin.kubeconfig

# --- node address ---------------------------------------------------------------
if [ "$mode" != control ]; then
  ip link show "$NODE_DEV" > /dev/null 2>&1 || ip link add "$NODE_DEV" type bridge
  ip addr replace "$NODE_IP/32" dev "$NODE_DEV"; ip link set "$NODE_DEV" up
  [ "$gateways" != 2 ] || ip addr replace "$GATEWAY_2_IP/32" dev "$NODE_DEV"
  sysctl_set net.ipv4.ip_forward 1
fi

# --- control plane --------------------------------------------------------------
start etcd etcd --name e --data-dir "$RUN/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
  --listen-peer-urls "http://127.0.0.1:$((ETCD_PORT + 1))" --initial-advertise-peer-urls "http://127.0.0.1:$((ETCD_PORT + 1))" \
  --initial-cluster "e=http://127.0.0.1:$((ETCD_PORT + 1))"
# An apiserver that finds no etcd at its start backs off for seconds: wait for the port.
until_ok 30 etcd listens 127.0.0.1 "$ETCD_PORT"
reconciler=lease; [ "$NODE_IP" != 127.0.0.1 ] || reconciler=none
refill audit.yaml.in "$RUN/audit.yaml"
start kube-apiserver kube kube-apiserver \
  --etcd-servers "http://127.0.0.1:$ETCD_PORT" --bind-address "$NODE_IP" --advertise-address "$NODE_IP" --secure-port "$API_PORT" \
  --endpoint-reconciler-type "$reconciler" --service-cluster-ip-range "$SERVICE_CIDR" \
  --tls-cert-file "$RUN/pki/apiserver.crt" --tls-private-key-file "$RUN/pki/apiserver.key" \
  --client-ca-file "$RUN/pki/ca.crt" --token-auth-file "$RUN/pki/tokens.csv" --anonymous-auth=false \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$RUN/pki/sa.pub" --service-account-signing-key-file "$RUN/pki/sa.key" \
  --kubelet-client-certificate "$RUN/pki/kubelet-client.crt" --kubelet-client-key "$RUN/pki/kubelet-client.key" \
  --kubelet-certificate-authority "$RUN/pki/ca.crt" --kubelet-preferred-address-types InternalIP \
  --audit-policy-file "$RUN/audit.yaml" --audit-log-path "$RUN/logs/audit.log" --audit-log-maxsize 300 --audit-log-maxbackup 1 \
  --profiling=false --enable-priority-and-fairness=false
# The container runtime starts meanwhile.
if [ "$mode" = full ]; then
  refill containerd.toml "$RUN/containerd.toml"; refill cni.conflist "$RUN/net.d/10-headgate.conflist"
  refill kubelet.yaml.in "$RUN/kubelet.yaml"; refill kube-proxy.yaml.in "$RUN/kube-proxy.yaml"; : > "$RUN/resolv.conf"
  refill hosts.toml "$RUN/certs.d/$NODE_IP:$REGISTRY_PORT/hosts.toml"; refill registry.yaml.in "$RUN/registry.yaml"
  start containerd containerd -c "$RUN/containerd.toml"
  start registry docker-registry serve "$RUN/registry.yaml"
fi
until_ok 60 "apiserver" kubectl get --raw /readyz
# These two poll with growing pauses when they start before the apiserver.
start kube-controller-manager kube kube-controller-manager --kubeconfig "$RUN/kube-controller-manager.kubeconfig" \
  --bind-address 127.0.0.1 --leader-elect=false --use-service-account-credentials \
  --root-ca-file "$RUN/pki/ca.crt" --service-account-private-key-file "$RUN/pki/sa.key" \
  --cluster-signing-cert-file "$RUN/pki/ca.crt" --cluster-signing-key-file "$RUN/pki/ca.key"
start kube-scheduler kube kube-scheduler --kubeconfig "$RUN/kube-scheduler.kubeconfig" --bind-address 127.0.0.1 --leader-elect=false
sa_ready() { until_ok 30 "default service account" kubectl -n default get serviceaccount default; }
[ "$mode" != control ] || sa_ready
say "control plane ready ($(since))"

tell() { # tell GATEWAYS...: cluster.json and the line for the shell
  local registry=null; [ "$mode" != full ] || registry="\"$NODE_IP:$REGISTRY_PORT\""
  jq -n --arg m "$mode" --arg k "$KUBECONFIG" --argjson r "$registry" --arg run "$RUN" --arg g "$GATEWAY_PORT" --arg i "$INGRESS_PORT" --arg a "$TRAEFIK_API_PORT" \
    '{mode: $m, kubeconfig: $k, run: $run, gateways: [$ARGS.positional[] | "http://\(.):\($g)"], ingresses: [$ARGS.positional[] | "http://\(.):\($i)"],
      gatewayApis: [$ARGS.positional[] | "http://\(.):\($a)"], registry: $r}' --args "$@" > "$RUN/cluster.json.part"
  mv "$RUN/cluster.json.part" "$RUN/cluster.json"
  echo "export HEADGATE_KUBE_CLUSTER=$RUN/cluster.json KUBECONFIG=$KUBECONFIG"
  echo "# $began"
}
[ "$mode" != control ] || { tell; exit 0; }

# --- Gateway API definitions and the gateway's rights -----------------------------
if [ ! -f "$RUN/base.done" ]; then
  kubectl apply --server-side -f "$CACHE/crds" > "$RUN/logs/crds.log"
  until_ok 30 "Gateway API definitions" kubectl wait --for=condition=Established --timeout=1s crd gateways.gateway.networking.k8s.io httproutes.gateway.networking.k8s.io gatewayclasses.gateway.networking.k8s.io
  refill base.yaml.in "$RUN/base.yaml"; until_ok 30 "base objects" kubectl apply --server-side -f "$RUN/base.yaml"
  touch "$RUN/base.done"
  say "Gateway API installed ($(since))"
fi

sa_ready   # pods can be made from here on

# --- node -------------------------------------------------------------------------
if [ "$mode" = full ]; then
  until_ok 30 containerd CTR version
  for t in "$CACHE"/images/*.tar; do
    [ -e "$t" ] || continue
    # a stamp per archive: import only what is new
    s="$RUN/imported.$(basename "$t").$(stat -c %Y.%s "$t")"
    [ -f "$s" ] || { CTR images import "$t" > /dev/null; touch "$s"; }
  done
  for k in vm.overcommit_memory kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes; do sysctl_set $k "$(cat /proc/sys/${k//.//})"; done
  start kubelet kube kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$RUN/kubelet.kubeconfig" --root-dir "$LIB/kubelet" \
    --hostname-override "$NODE_NAME" --node-ip "$NODE_IP" --cert-dir "$RUN/pki" \
    --tls-cert-file "$RUN/pki/kubelet.crt" --tls-private-key-file "$RUN/pki/kubelet.key"
  start kube-proxy kube kube-proxy --config "$RUN/kube-proxy.yaml"
  # Names of services for pods: on the node address, no Service in front.
  refill Corefile "$RUN/Corefile"; start coredns coredns -conf "$RUN/Corefile"
  until_ok 30 registry curl -fsS "http://$NODE_IP:$REGISTRY_PORT/v2/"
fi

# --- gateway ------------------------------------------------------------------------
traefik_at() { # NAME ADDRESS API_PORT
  local args=() p c
  for p in kubernetesgateway kubernetesingressnginx; do
    args+=("--providers.$p=true"); for c in "endpoint=https://$NODE_IP:$3" "certauthfilepath=$RUN/pki/ca.crt" "token=$RUN/traefik.token"; do args+=("--providers.$p.$c"); done
  done
  # The default throttle of 2 s would be the whole latency of a weight. With KUBECONFIG it would be admin and ask no endpoint of its own.
  start "$1" env -u KUBECONFIG traefik "${args[@]}" --providers.providersthrottleduration=100ms \
    --providers.kubernetesgateway.statusaddress.ip="$NODE_IP" --providers.kubernetesingressnginx.httpentrypoint=nginx \
    --entrypoints.web.address="$2:$GATEWAY_PORT" --entrypoints.nginx.address="$2:$INGRESS_PORT" --entrypoints.traefik.address="$2:$TRAEFIK_API_PORT" \
    --metrics.prometheus=true --metrics.prometheus.addserviceslabels=true --metrics.prometheus.addrouterslabels=true \
    --metrics.prometheus.buckets=0.005,0.01,0.02,0.05,0.1,0.2,0.5,1,2,5,10 \
    --api.insecure=true --api.dashboard=false --ping=true --log.level=INFO --global.checknewversion=false --global.sendanonymoususage=false
  until_ok 30 "port of $1" listens "$2" "$GATEWAY_PORT"
}
replicas=()
if [ "$gateway" = 1 ] || alive traefik; then
  [ -s "$RUN/traefik.token" ] || kubectl -n gateway create token traefik --duration 87600h > "$RUN/traefik.token"
  traefik_at traefik "$NODE_IP" "$API_PORT"; replicas+=("$NODE_IP")
  if [ "$gateways" = 2 ] || alive traefik-2; then
    start relay node "$HERE/relay.js" "$NODE_IP" "$RELAY_PORT" "$NODE_IP" "$API_PORT"
    until_ok 10 relay listens "$NODE_IP" "$RELAY_PORT"
    traefik_at traefik-2 "$GATEWAY_2_IP" "$RELAY_PORT"; replicas+=("$GATEWAY_2_IP")
  fi
  fill gateway.yaml.in | sed "s#@ENDPOINTS@#$(printf -- '- { addresses: [%s], conditions: { ready: true } }\\n' "${replicas[@]}")#" > "$RUN/gateway.yaml"
  kubectl apply --server-side -f "$RUN/gateway.yaml" > "$RUN/logs/gateway.log"
  until_ok 60 gateway kubectl -n gateway wait --for=condition=Programmed --timeout=1s gateway/main
  say "gateway ready, ${#replicas[@]} of it ($(since))"
fi
if [ "$mode" = full ]; then
  until_ok 60 node kubectl wait --for=condition=Ready --timeout=1s "node/$NODE_NAME"
  say "node ready ($(since))"
fi
tell ${replicas[@]+"${replicas[@]}"}
