#!/usr/bin/env bash
# Checks the chart in helm/debrief, in this order:
#   1. `helm lint`, and tests of what the chart renders;
#   2. the schemas of Kubernetes for each supported version, and those of the other software that the chart makes objects for;
#   3. the program: it is started as a pod of the chart would start it. This is left out where it is not built;
#   4. a real API server with simulated nodes: install, upgrade, rollback, drain and uninstall, with Helm 3 and Helm 4. This
#      is left out where the API server is not built.
#
#   deploy/chart.sh            checks the chart
#   deploy/chart.sh --cluster  builds the API server first where it is missing: some 20 minutes on 2 cores, once
#   deploy/chart.sh tools      only installs what the first two checks need, and prints where it is
#
# The tools are built once from their Go modules into a folder outside of the checkout. DEBRIEF_TOOLS names another
# folder. The program is the one in the target folder; DEBRIEF names another.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
    echo "deploy/chart.sh: $*" >&2
    exit 1
}
. deploy/go-tools.sh

helm_3=v3.22.0
helm_4=v4.3.1
kubeconform_version=v0.7.0
cluster=deploy/kubernetes/cluster.sh

install helm "$helm_3" helm.sh/helm/v3/cmd/helm
install kubeconform "$kubeconform_version" github.com/yannh/kubeconform/cmd/kubeconform
export HELM=$tools/helm-$helm_3
kubeconform=$tools/kubeconform-$kubeconform_version
case ${1:-} in
tools)
    echo "$tools"
    exit
    ;;
--cluster)
    install helm "$helm_4" helm.sh/helm/v4/cmd/helm
    "$cluster" tools
    ;;
'') ;;
*) die "\`$1\` is not known; known are --cluster and tools" ;;
esac

# took WHAT: says how long a check took.
took() {
    echo "$1 ($((SECONDS - begun)) s)"
    begun=$SECONDS
}

started=$SECONDS
begun=$SECONDS
# The newest patch releases of each version that the chart supports.
versions=(1.31.14 1.32.13 1.33.13 1.34.4 1.35.4 1.36.3)
python=$(.ci/python chart helm/tests/requirements.txt)/bin/python
schemas=$tools/schemas
"$python" helm/tests/schemas.py "$schemas" "${versions[@]}"
export KEDA_SCALERS=$schemas/scalers.json CRDS=$schemas/definitions
tests() { "$python" -B -m pytest -q -p no:cacheprovider "$@"; }

# ---------------------------------------------------------------- what is rendered

"$HELM" lint --strict helm/debrief -f helm/debrief/values-trial.yaml
tests helm/tests --ignore helm/tests/test_processes.py --ignore helm/tests/test_cluster.py
took "the chart renders what it should"

# ---------------------------------------------------------------- the schemas

# valid VERSION: compares the objects of its input with the schemas of that version.
valid() {
    "$kubeconform" -strict -kubernetes-version "$1" \
        -schema-location "$schemas/{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json" \
        -schema-location "$schemas/crds/{{.ResourceKind}}{{.KindSuffix}}.json"
}
rendered() { "$HELM" template debrief helm/debrief -f "$1" --kube-version "$2"; }

# A check that lets everything pass would say nothing. These words stand in a Deployment, a ScaledObject and a route.
for word in readOnlyRootFilesystem cooldownPeriod backendRefs; do
    rendered helm/tests/values/all-on.yaml 1.34.4 | sed "s/$word/x$word/" | valid 1.34.4 >/dev/null &&
        die "the schemas take an object with the field x$word"
done
for values in helm/debrief/values-trial.yaml helm/tests/values/*.yaml; do
    for version in "${versions[@]}"; do
        rendered "$values" "$version" | valid "$version" ||
            die "$values is not valid for Kubernetes $version"
    done
    echo "$values: valid for Kubernetes ${versions[*]}"
done
took "every object has the fields that Kubernetes knows"

# ---------------------------------------------------------------- the program

DEBRIEF=$(realpath -m "${DEBRIEF:-${CARGO_TARGET_DIR:-target}/debug/debrief}")
export DEBRIEF
if [ -x "$DEBRIEF" ]; then
    deploy/services.sh run "$python" -B -m pytest -q -p no:cacheprovider helm/tests/test_processes.py
    took "$DEBRIEF starts as the chart starts it"
else
    echo "left out: the program is not built, so nothing starts it as the chart would ($DEBRIEF)"
fi

# ---------------------------------------------------------------- the API server

if [ -x "$tools/helm-$helm_4" ] && "$cluster" is-built; then
    folder=$(mktemp -d)
    trap '"$cluster" stop "$folder"; rm -rf "$folder"' EXIT
    "$cluster" start "$folder"
    took "the API server runs"
    export KUBECONFIG=$folder/kubeconfig HELMS="$HELM $tools/helm-$helm_4"
    KUBECTL="$("$cluster" kubectl)" tests helm/tests/test_cluster.py
    took "the API server takes it, with Helm $helm_3 and $helm_4"
else
    echo "left out: the API server is not built, so nothing was installed (deploy/chart.sh --cluster builds it)"
fi
echo "the chart is well ($((SECONDS - started)) s)"
