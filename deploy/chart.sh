#!/usr/bin/env bash
# Checks the chart in helm/debrief: `helm lint`, the tests of what it renders, and the schemas of Kubernetes for each
# supported version.
#
#   deploy/chart.sh            checks the chart
#   deploy/chart.sh tools      only installs what the checks need, and prints where it is
#
# helm and kubeconform are built once from their Go modules into a folder outside of the checkout. DEBRIEF_TOOLS names
# another folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=${DEBRIEF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/tools}
helm_version=v3.22.0
kubeconform_version=v0.7.0

die() {
    echo "deploy/chart.sh: $*" >&2
    exit 1
}

# install NAME VERSION PACKAGE: builds a Go program, unless this version of it is there.
install() {
    local name=$1 version=$2 package=$3
    [ -x "$tools/$name-$version" ] && return
    [ -n "$(command -v go)" ] || die "\`go\` is missing, so $name cannot be built (apt-get install golang)"
    echo "building $name $version (once)"
    mkdir -p "$tools/build"
    GOBIN=$tools/build GOFLAGS=-mod=mod go install "$package@$version" || die "$name $version cannot be built"
    mv "$tools/build/$name" "$tools/$name-$version"
}

install helm "$helm_version" helm.sh/helm/v3/cmd/helm
install kubeconform "$kubeconform_version" github.com/yannh/kubeconform/cmd/kubeconform
export HELM=$tools/helm-$helm_version
kubeconform=$tools/kubeconform-$kubeconform_version
if [ "${1:-}" = tools ]; then
    echo "$tools"
    exit
fi

started=$SECONDS
# The newest patch releases of each version that the chart supports.
versions=(1.31.14 1.32.13 1.33.13 1.34.4 1.35.4 1.36.3)
python=$(.ci/python chart helm/tests/requirements.txt)/bin/python
schemas=$tools/schemas
"$python" helm/tests/schemas.py "$schemas" "${versions[@]}"
export KEDA_SCALERS=$schemas/scalers.json

"$HELM" lint --strict helm/debrief -f helm/debrief/values-trial.yaml
"$python" -m pytest -q -p no:cacheprovider helm/tests

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
echo "the chart is well ($((SECONDS - started)) s)"
