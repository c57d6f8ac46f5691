#!/usr/bin/env bash
# Makes what the playbooks and their linters need in the user's cache, once for each requirements.txt, and says where its programs are:
#     PATH=$(ansible/setup.sh):$PATH
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/headgate/ansible-$(sha256sum "$here/requirements.txt" | cut -c1-12)

# A bare Debian has neither Python nor what makes a venv.
has_venv() { python3 -c 'import ensurepip, venv' 2> /dev/null; }
need_venv() {
  has_venv && return
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install python3-venv > /dev/null
  fi
  has_venv || { echo "missing: run \`apt-get install -y python3-venv\` as root" >&2; exit 69; }
}

# Two that come here at once would make it in one another's way.
mkdir -p "$(dirname "$venv")"
if command -v flock > /dev/null; then
  exec 9> "$venv.lock"
  flock 9
fi

if [ ! -e "$venv/made" ]; then
  need_venv >&2
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --requirement "$here/requirements.txt" >&2
  touch "$venv/made"
fi
echo "$venv/bin"
