#!/usr/bin/env bash
# Updates a deployment from an older version to this one under load, and rolls it back.
#
#     deploy/upgrade.sh FAULTS [ARGS…]
#
# FAULTS is the fault runner, with the program `debrief` of this version beside it. ARGS are further arguments for it, such
# as --seed N. The commit of the older version is the first word of deploy/upgrade-from. The program of that commit is
# built once, in a folder below the target directory.
set -euo pipefail
[ $# -ge 1 ] || {
    echo "usage: deploy/upgrade.sh FAULTS [ARGS…]" >&2
    exit 2
}
faults=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(awk '!/^#/ && NF { print $1; exit }' deploy/upgrade-from)
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
    echo "upgrade: this checkout lacks the commit $commit that deploy/upgrade-from names (\`git fetch --unshallow\` gets it)" >&2
    exit 2
fi
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}/upgrade/$commit")
older=$folder/target/debug/debrief
if [ ! -x "$older" ]; then
    rm -rf "$folder/source"
    mkdir -p "$folder/source"
    git archive "$commit" | tar -x -C "$folder/source"
    echo "upgrade: building $commit" >&2
    (cd "$folder/source" && CARGO_TARGET_DIR=$folder/target "${CARGO:-cargo}" build --locked -p debrief)
fi
exec "$faults" run updated updated-and-rolled-back --older "$older" "$@"
