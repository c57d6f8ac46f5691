# Settings and functions that the scripts here share. Sourced, not run.
# Every value may be set in the environment beforehand.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${HEADGATE_KUBE_CACHE:=$HOME/.cache/headgate-kube}"       # programs, definitions, base images
if [ "$(id -u)" = 0 ]; then
  : "${HEADGATE_KUBE_RUN:=/run/headgate-kube}"               # sockets, pids, logs, keys, etcd data
  : "${HEADGATE_KUBE_LIB:=/var/lib/headgate-kube}"           # containerd, kubelet and registry
else
  : "${HEADGATE_KUBE_RUN:=/tmp/headgate-kube-$(id -u)}"
  : "${HEADGATE_KUBE_LIB:=/tmp/headgate-kube-$(id -u)/lib}"
fi
CACHE=$HEADGATE_KUBE_CACHE RUN=$HEADGATE_KUBE_RUN LIB=$HEADGATE_KUBE_LIB

# Versions. KUBE_VERSION must match kube/go.mod.
KUBE_VERSION=v1.36.3
TRAEFIK_VERSION=v3.7.15
TRAEFIK_WHEEL_SHA256=1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34   # linux x86_64
GATEWAY_API_VERSION=v1.6.3
COREDNS_VERSION=v1.15.0
PROMETHEUS_OPERATOR_VERSION=v0.85.0                          # its definitions alone

# Addresses. They sit on a bridge device of their own, so nothing here depends
# on, or listens on, the machine's own network addresses.
NODE_NAME=${HEADGATE_KUBE_NODE_NAME:-rig}
NODE_DEV=hgk-node
NODE_IP=${HEADGATE_KUBE_NODE_IP:-10.111.0.1}
GATEWAY_2_IP=10.111.0.2                                      # the second gateway replica: same ports, other address
POD_CIDR=10.112.0.0/24
KUBELET_IP=$NODE_IP CGROUP=/                                 # node.sh has its own for the second node
NODE_2_IP=10.111.0.3
POD_2_CIDR=10.114.0.0/24
SERVICE_CIDR=10.113.0.0/16
API_SERVICE_IP=10.113.0.1
API_PORT=${HEADGATE_KUBE_API_PORT:-6443}
ETCD_PORT=${HEADGATE_KUBE_ETCD_PORT:-12379}
GATEWAY_PORT=${HEADGATE_KUBE_GATEWAY_PORT:-8000}
INGRESS_PORT=${HEADGATE_KUBE_INGRESS_PORT:-8001}
TRAEFIK_API_PORT=${HEADGATE_KUBE_TRAEFIK_API_PORT:-8002}
RELAY_PORT=${HEADGATE_KUBE_RELAY_PORT:-6543}                 # what the second replica hears of the apiserver
FAULT_TABLE=headgate-fault                                   # of nft: what fault.sh drops
REGISTRY_PORT=${HEADGATE_KUBE_REGISTRY_PORT:-5000}

export PATH="$CACHE/bin:$PATH:/usr/sbin:/sbin"
CTR() { ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# own_lock FILE SECONDS: one of us at a time. The second one waits and says so.
own_lock() {
  exec 9> "$1"
  flock -n 9 || { say "another run works on the cluster; waiting for it"; flock -w "$2" 9 || die "the other run has not ended within $2 s"; }
}

# apt-get waits for the lock of dpkg by itself, never for that of its lists.
fetch_lists() {
  local tries=240 words
  until words=$(LC_ALL=C apt-get -qq -o Acquire::Retries=3 update 2>&1 9>&-); do
    grep -q 'Could not get lock' <<< "$words" && [ $((tries -= 1)) -gt 0 ] || die "apt-get update: $words"
    sleep 0.5
  done
}

# need PROGRAM PACKAGE...: installs as root what is missing, else names the one line.
need() {
  local missing=()
  while [ $# -gt 0 ]; do
    command -v "$1" > /dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || die "missing: run \`apt-get install -y ${missing[*]}\` as root"
  say "installing ${missing[*]}"
  fetch_lists
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 install "${missing[@]}" > /dev/null 9>&-
}

# --- processes ---------------------------------------------------------------
# A pid file holds "pid starttime"; the start time guards against a reused pid.
starttime() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
alive() {
  local pid st
  [ -f "$RUN/pids/$1" ] || return 1
  read -r pid st < "$RUN/pids/$1" || return 1
  [ -n "$st" ] && [ "$(starttime "$pid")" = "$st" ] && kill -0 "$pid" 2>/dev/null
}
pid_of() { cut -d' ' -f1 "$RUN/pids/$1"; }
# start NAME command...   (does nothing if NAME runs already)
start() {
  local name=$1; shift
  alive "$name" && return 0
  mkdir -p "$RUN/pids" "$RUN/logs"
  # The child writes its own pid before exec, so an interrupted up.sh leaves
  # no process that down.sh does not know of.
  setsid bash -c '
    umask 022   # containerd makes the root directories of containers with it
    unset TMPDIR NODE_OPTIONS   # a test that starts us anew ends whatever uses its temporary folder
    f=$1; shift
    printf "%s %s\n" "$$" "$(sed "s/^.*) //" /proc/$$/stat | cut -d" " -f20)" > "$f"
    exec "$@"' _ "$RUN/pids/$name" "$@" >> "$RUN/logs/$name.log" 2>&1 < /dev/null 9>&- &   # 9: the lock stays ours
  disown   # it is not ours to wait for
}
# stop NAME [seconds]: TERM, then KILL after the given time
stop() {
  local name=$1 wait=${2:-10} pid i
  if alive "$name"; then
    pid=$(pid_of "$name")
    kill "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true   # a relay that is held back hears nothing else
    for ((i = 0; i < wait * 20; i++)); do alive "$name" || break; sleep 0.05; done
    if alive "$name"; then kill -9 "$pid" 2>/dev/null || true; sleep 0.1; fi
  fi
  rm -f "$RUN/pids/$name"
}
# until_ok SECONDS "what" command...
until_ok() {
  local limit=$1 what=$2 t0=$SECONDS; shift 2
  until "$@" > /dev/null 2>&1; do
    [ $((SECONDS - t0)) -lt "$limit" ] || die "$what not ready after $limit s (logs: $RUN/logs)"
    sleep 0.1
  done
}
listens() { bash -c "exec 3<>/dev/tcp/$1/$2"; }

# --- files that programs are given ----------------------------------------------
fill() { # fill TEMPLATE
  sed -e "s#@RUN@#$RUN#g;s#@LIB@#$LIB#g;s#@CACHE@#$CACHE#g;s#@NODE_IP@#$NODE_IP#g;s#@NODE_NAME@#$NODE_NAME#g;s#@REGISTRY_PORT@#$REGISTRY_PORT#g" \
      -e "s#@POD_CIDR@#$POD_CIDR#g;s#@KUBELET_IP@#$KUBELET_IP#g;s#@CGROUP@#$CGROUP#g;s#@API_PORT@#$API_PORT#g;s#@GATEWAY_PORT@#$GATEWAY_PORT#g;s#@INGRESS_PORT@#$INGRESS_PORT#g;s#@TRAEFIK_API_PORT@#$TRAEFIK_API_PORT#g" "$HERE/templates/$1"
}
refill() { # refill TEMPLATE FILE: a file that is as it should be keeps its time, for kube-proxy ends when its own is written
  fill "$1" > "$2.part"
  if cmp -s "$2.part" "$2"; then rm "$2.part"; else mv "$2.part" "$2"; fi
}
ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
cert() { # cert NAME SUBJECT EXTENSIONS: in the current folder, signed by its ca
  ec "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile <(printf '%s' "$3") -out "$1.crt" 2>/dev/null
}

# --- the end of a node --------------------------------------------------------------
end_containers() { # with containerd itself
  local c p pid kids
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
    tr '\0' ' ' 2>/dev/null < "$p/cmdline" | grep "containerd-shim-runc-v2 .*-address $RUN/containerd.sock" > /dev/null || continue
    kids=$(cat "$p"/task/*/children 2>/dev/null)
    kill -9 $kids "$pid" 2>/dev/null
  done
}
unmount() { # Mounts below our directories, deepest first (rootfs, volumes, netns).
  local try m d
  for try in 1 2 3; do
    m=$(awk -v a="$RUN/" -v b="$LIB/" 'index($5,a)==1||index($5,b)==1{print $5}' /proc/self/mountinfo | sort -r)
    [ -n "$m" ] || break
    while read -r d; do umount "$d" 2>/dev/null || umount -l "$d" 2>/dev/null; done <<< "$m"
  done
}
remove_cgroups() { # remove_cgroups NAME...
  local name d
  for name in "$@"; do for d in /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name"; do
    [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null
  done; done
}
