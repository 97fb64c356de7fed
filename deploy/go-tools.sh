# Builds the programs that checks need from their Go modules, each version once, into a folder outside of the checkout.
# DEBRIEF_TOOLS names another folder. This file is sourced by scripts; each of them defines `die`.
#
# shellcheck shell=bash

tools=${DEBRIEF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/tools}

# built NAME VERSION CMD…: makes $tools/NAME-VERSION, unless it is there. CMD must leave the program at $tools/build/NAME.
built() {
    local name=$1 version=$2
    shift 2
    if [ -x "$tools/$name-$version" ]; then return; fi
    [ -n "$(command -v go)" ] || die "\`go\` is missing, so $name cannot be built (apt-get install golang)"
    echo "building $name $version (once)" >&2
    mkdir -p "$tools/build"
    "$@" >&2 || die "$name $version cannot be built"
    # The name appears only when the program is complete.
    mv "$tools/build/$name" "$tools/$name-$version"
}

# install NAME VERSION PACKAGE: builds a program that its module can install by itself.
install() {
    built "$1" "$2" env "GOBIN=$tools/build" GOFLAGS=-mod=mod go install "$3@$2"
}

# compile NAME VERSION FOLDER ARGS…: builds the program in FOLDER, whose go.mod pins everything that it links.
compile() {
    built "$1" "$2" go build -C "$3" -trimpath -o "$tools/build/$1" "${@:4}" .
}

# module NAME@VERSION: prints the folder of a module, and downloads it when it is missing.
module() {
    (cd / && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}
