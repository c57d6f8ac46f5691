#!/bin/bash
# Makes a part of the running cluster fail, and lets it go on.
#   fault.sh hold NAME      SIGSTOP: it lives and does nothing
#   fault.sh release NAME   SIGCONT
#   fault.sh kill NAME      SIGKILL; up.sh starts it again
# NAME: a file in $HEADGATE_KUBE_RUN/pids (kube-apiserver, traefik, traefik-2, ...). "relay" is what the second
# gateway replica hears of the apiserver: held back, the replica goes on serving with its old configuration.
# "metrics" is no process: held, nobody can read what the gateway counts, and it goes on serving.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ $# = 2 ] || { sed -n '2,8s/^# //p' "$0" >&2; exit 2; }
if [ "$2" = metrics ]; then
  case $1 in
    hold) nft "table ip $FAULT_TABLE { chain input { type filter hook input priority -10; tcp dport $TRAEFIK_API_PORT drop; }; }" ;;
    release) nft delete table ip "$FAULT_TABLE" ;;
    *) die "metrics can be held and released" ;;
  esac
  exit
fi
alive "$2" || die "$2 does not run: known are $(ls "$RUN/pids" 2>/dev/null | tr '\n' ' ')"
case $1 in
  hold) kill -STOP "$(pid_of "$2")" ;;
  release) kill -CONT "$(pid_of "$2")" ;;
  kill)
    kill -KILL "$(pid_of "$2")"
    until_ok 5 "end of $2" bash -c ". '$HERE/env.sh'; ! alive '$2'" ;; # Or an up.sh right after would find it alive.
  *) die "unknown fault \"$1\": known are hold, release, kill" ;;
esac
