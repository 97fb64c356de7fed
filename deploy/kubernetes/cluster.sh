#!/usr/bin/env bash
# Runs a real control plane of Kubernetes on this machine, on loopback: etcd, the API server, the controllers and the
# scheduler. There are no containers: the nodes and their pods are simulated by kwok, which says that each pod is ready.
#
#   deploy/kubernetes/cluster.sh tools        builds what is missing; the first time this takes some 15 minutes on 2 cores
#   deploy/kubernetes/cluster.sh is-built     exits with 0 when nothing is missing
#   deploy/kubernetes/cluster.sh kubectl      prints the command that is kubectl
#   deploy/kubernetes/cluster.sh start DIR    starts everything; its files are in DIR, and DIR/kubeconfig is the way in
#   deploy/kubernetes/cluster.sh stop DIR     ends what `start` started
#
# The programs are built once from their Go modules into a folder outside of the checkout. DEBRIEF_TOOLS names another
# folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

die() {
    echo "deploy/kubernetes/cluster.sh: $*" >&2
    exit 1
}
. ../go-tools.sh

kubernetes=v1.36.3
etcd=v3.7.3
kwok=v0.8.0
deadline_s=120

build() {
    local version=k8s.io/component-base/version
    compile etcd "$etcd" etcd -ldflags "-s -w"
    compile controlplane "$kubernetes" controlplane -ldflags "-s -w -X $version.gitVersion=$kubernetes \
        -X $version.gitMajor=$(cut -d. -f1 <<<"${kubernetes#v}") -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes")"
    install kwok "$kwok" sigs.k8s.io/kwok/cmd/kwok
    # What kwok does with a node or a pod is said by files, which its module carries.
    if [ ! -e "$tools/kwok-$kwok.yaml" ]; then
        local stages
        stages=$(module "sigs.k8s.io/kwok@$kwok")/kustomize/stage
        for file in node/fast/node-initialize node/heartbeat/node-heartbeat pod/fast/pod-{ready,complete,delete}; do
            echo ---
            cat "$stages/$file.yaml"
        done >"$tools/build/kwok.yaml"
        mv "$tools/build/kwok.yaml" "$tools/kwok-$kwok.yaml"
    fi
}

is_built() {
    local file
    for file in "etcd-$etcd" "controlplane-$kubernetes" "kwok-$kwok" "kwok-$kwok.yaml"; do
        [ -e "$tools/$file" ] || return 1
    done
}

# ---------------------------------------------------------------- processes

# launch NAME CMD…: starts CMD, and keeps its id and the beginning of its life. The id alone could be given to another
# process later.
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$dir/$name.log" 2>&1 &
    echo "$! $(begun $!)" >"$dir/$name.pid"
}

# begun ID: when the process began. It fails when the process has ended.
begun() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name of the program is in parentheses and may hold spaces. The fields are counted after it.
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

runs() {
    local id begin
    read -r id begin 2>/dev/null <"$dir/$1.pid" && [ "$(begun "$id")" = "$begin" ]
}

# await NAME CMD…: waits until CMD succeeds.
await() {
    local name=$1 until=$((SECONDS + deadline_s))
    shift
    until "$@" >/dev/null 2>&1; do
        runs "$name" || show "$name" "ended before it answered"
        [ "$SECONDS" -lt "$until" ] || show "$name" "did not answer within $deadline_s s"
        sleep 0.2
    done
}

show() {
    tail -n 20 "$dir/$1.log" >&2
    die "$1 $2; the end of $dir/$1.log stands above"
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# ---------------------------------------------------------------- the control plane

start() {
    local api client peer token kube key=$dir/accounts.key
    api=$(free_port) client=$(free_port) peer=$(free_port)
    token=$(openssl rand -hex 16)
    kube=("$tools/controlplane-$kubernetes")
    umask 077
    openssl genrsa -out "$key" 2048 2>/dev/null
    openssl rsa -in "$key" -pubout -out "$dir/accounts.pub" 2>/dev/null
    echo "$token,admin,1,\"system:masters\"" >"$dir/tokens.csv"
    cat >"$dir/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "https://127.0.0.1:$api", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "$token"}}]
contexts: [{name: here, context: {cluster: here, user: admin}}]
current-context: here
CONFIG
    launch etcd "$tools/etcd-$etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level error \
        --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
        --listen-peer-urls "http://127.0.0.1:$peer"
    # The API server refuses to advertise a loopback address. It listens on loopback only.
    launch kube-apiserver "${kube[@]}" kube-apiserver --etcd-servers "http://127.0.0.1:$client" \
        --bind-address 127.0.0.1 --secure-port "$api" --advertise-address 10.99.0.1 --cert-dir "$dir/certificates" \
        --service-cluster-ip-range 10.0.0.0/24 --authorization-mode RBAC --token-auth-file "$dir/tokens.csv" \
        --service-account-issuer https://kubernetes.default.svc --service-account-signing-key-file "$key" \
        --service-account-key-file "$dir/accounts.pub"
    await kube-apiserver kubectl get --raw /readyz
    launch kube-controller-manager "${kube[@]}" kube-controller-manager --kubeconfig "$dir/kubeconfig" \
        --leader-elect=false --bind-address 127.0.0.1 --secure-port "$(free_port)" --cert-dir "$dir/certificates" \
        --service-account-private-key-file "$key" --authentication-skip-lookup
    launch kube-scheduler "${kube[@]}" kube-scheduler --kubeconfig "$dir/kubeconfig" --leader-elect=false \
        --bind-address 127.0.0.1 --secure-port "$(free_port)" --cert-dir "$dir/certificates"
    launch kwok "$tools/kwok-$kwok" --kubeconfig "$dir/kubeconfig" --manage-all-nodes=true \
        --server-address "127.0.0.1:$(free_port)" --config "$tools/kwok-$kwok.yaml" --config finished.yaml
    # Two nodes in each of three zones.
    local number
    for number in 1 2 3 4 5 6; do
        cat <<NODE
---
apiVersion: v1
kind: Node
metadata:
  name: node-$number
  labels: {kubernetes.io/hostname: node-$number, topology.kubernetes.io/zone: zone-$((number % 3 + 1))}
NODE
    done | kubectl apply -f - >/dev/null
    await kwok kubectl wait --for condition=Ready node --all --timeout 5s
}

kubectl() { "$tools/controlplane-$kubernetes" kubectl --kubeconfig "$dir/kubeconfig" "$@"; }

stop() {
    local name id waited=0
    for name in kwok kube-scheduler kube-controller-manager kube-apiserver etcd; do
        if ! runs "$name"; then continue; fi
        read -r id _ <"$dir/$name.pid"
        kill "$id" 2>/dev/null || true
        while runs "$name"; do
            sleep 0.1
            waited=$((waited + 1))
            if [ "$waited" = 100 ]; then kill -KILL "$id" 2>/dev/null || true; fi
        done
        rm -f "$dir/$name.pid"
    done
}

case ${1:-} in
tools) build ;;
is-built) is_built ;;
kubectl) echo "$tools/controlplane-$kubernetes kubectl" ;;
start | stop)
    dir=$(realpath "${2:?name a folder}")
    mkdir -p "$dir"
    if [ "$1" = start ]; then
        is_built || die "something is not built; call deploy/kubernetes/cluster.sh tools"
        trap 'code=$?; [ "$code" = 0 ] || stop' EXIT
    fi
    "$1"
    ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]##*/}" >&2
    exit 2
    ;;
esac
