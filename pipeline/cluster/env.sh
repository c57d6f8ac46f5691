# Settings that build.sh, up.sh, down.sh and gateway.sh share. Sourced, not run.
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
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 update 9>&-
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
