#!/usr/bin/env bash
# Checks what watches a deployment: the alerts, their tests, and the dashboards, on a real Prometheus.
#
#   deploy/watch.sh BINARY     checks everything; BINARY is the program `debrief`
#   deploy/watch.sh tools      only installs Prometheus, and prints the folder of its programs
#
# Prometheus and promtool are taken from the folder that DEBRIEF_PROMETHEUS names, or from the search path, or else from
# Debian's package. That package is only unpacked, into a folder outside of the checkout, and nothing of it is started
# by itself. DEBRIEF_TOOLS names another folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=${DEBRIEF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/tools}

die() {
    echo "deploy/watch.sh: $*" >&2
    exit 1
}

# unpack: unpacks Debian's package, unless it is there.
unpack() {
    local folder=$tools/prometheus-debian made
    if [ ! -x "$folder/usr/bin/promtool" ]; then
        [ -n "$(command -v apt-get)" ] || die "\`prometheus\` and \`promtool\` are missing: install them, or name their folder in DEBRIEF_PROMETHEUS"
        mkdir -p "$tools"
        made=$(mktemp -d "$tools/prometheus.XXXXXX")
        # A user without rights can download a package, but not into a list that was never fetched.
        (cd "$made" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; }) >&2 ||
            die "the package prometheus cannot be downloaded"
        dpkg -x "$made"/prometheus_*.deb "$made/package"
        rm -rf "$folder"
        mv "$made/package" "$folder"
        rm -rf "$made"
    fi
    echo "$folder/usr/bin"
}

if [ -n "${DEBRIEF_PROMETHEUS:-}" ]; then
    bin=$DEBRIEF_PROMETHEUS
elif [ -n "$(command -v prometheus)" ] && [ -n "$(command -v promtool)" ]; then
    bin=$(dirname "$(command -v prometheus)")
else
    bin=$(unpack)
fi
if [ "${1:-}" = tools ]; then
    echo "$bin"
    exit
fi
[ $# = 1 ] || die "usage: deploy/watch.sh BINARY"

started=$SECONDS
"$bin/prometheus" --version | head -n 1
"$bin/promtool" check rules deploy/prometheus/alerts.yaml
"$bin/promtool" test rules deploy/prometheus/alerts_test.yaml
python3 -B deploy/watch.py "$bin/prometheus" "$1"
echo "everything that watches is well ($((SECONDS - started)) s)"
