# Servers of other versions than those of this machine's Debian. SERVERS names them, for example
# SERVERS=rabbitmq-4.3,postgresql-18. Each comes from the packages of another release of Debian, which is put into a
# folder of its own with debootstrap, once, outside of the checkout (DEBRIEF_SYSTEMS names another folder). The server
# runs with that folder as its root, in a mount namespace of its own, in which it sees its data at their usual place. So
# nothing stays mounted when it ends. All of this needs root.
#
# This file is sourced by services.sh.
#
# shellcheck shell=bash

systems=${DEBRIEF_SYSTEMS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/systems}

# release_of SERVER: prints the release of Debian that has this server.
release_of() {
    case $1 in
    rabbitmq-3.10 | postgresql-15) echo bookworm ;;
    rabbitmq-4.0 | postgresql-17) echo trixie ;;
    rabbitmq-4.3 | postgresql-18) echo forky ;;
    *) die "SERVERS names \`$1\`; known are rabbitmq-3.10, rabbitmq-4.0, rabbitmq-4.3, postgresql-15, postgresql-17 and postgresql-18" ;;
    esac
}

check_asked() {
    local server
    for server in ${SERVERS//,/ }; do release_of "$server" >/dev/null; done
}

# asked NAME: prints the server that SERVERS names, such as rabbitmq-4.3 for rabbitmq. It fails when none is named. The
# port mapper belongs to RabbitMQ.
asked() {
    local server name=${1/epmd/rabbitmq}
    for server in ${SERVERS//,/ }; do
        if [ "${server%-*}" = "$name" ]; then
            echo "$server"
            return
        fi
    done
    return 1
}

# root_of NAME: prints the folder that is the root of the server, or nothing for a server of this machine.
root_of() {
    local server release
    server=$(asked "$1") || return 0
    release=$(release_of "$server")
    if [ "$release" != "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" ]; then echo "$systems/$release"; fi
}

packages_of() {
    case $1 in
    bookworm) echo rabbitmq-server,postgresql-15 ;;
    trixie) echo rabbitmq-server,postgresql-17 ;;
    forky) echo rabbitmq-server,postgresql-18 ;;
    esac
}

# make_system NAME: makes the root of the server, unless it is there.
make_system() {
    local server release root script
    server=$(asked "$1")
    release=$(release_of "$server")
    root=$systems/$release
    is_root || die "$server comes from Debian $release, which needs root (debootstrap and chroot)"
    if [ ! -d "$root" ]; then
        [ -n "$(command -v debootstrap)" ] || apt-get -q install -y debootstrap >&2 </dev/null || die "debootstrap is missing"
        # An older debootstrap does not know a newer release. All of them are made as `sid` is.
        script=/usr/share/debootstrap/scripts/$release
        [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
        say "installing $server with Debian $release in $root (once)"
        mkdir -p "$systems"
        rm -rf "$root.new"
        debootstrap --variant=minbase "--include=$(packages_of "$release")" "$release" "$root.new" \
            "$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort | sed -n 1p)" "$script" >"$systems/$release.log" 2>&1 9>&- ||
            die "Debian $release cannot be installed; see $systems/$release.log"
        mv "$root.new" "$root"
    fi
    # A release that is still being made gets newer versions.
    case $server in
    rabbitmq-*) set -- "$root/usr/lib/rabbitmq/lib/rabbitmq_server-${server#*-}".* ;;
    postgresql-*) set -- "$root/usr/lib/postgresql/${server#*-}/bin/postgres" ;;
    esac
    [ -e "$1" ] || die "Debian $release in $root has another version than $server"
}

# inside ROOT USER CMD…: runs CMD as the user, with this folder as root, in the current folder.
inside() {
    local root=$1 ids
    ids=$(ids_in "$root" "$2")
    shift 2
    mkdir -p "$root$dir"
    exec unshare --mount bash -c '
        root=$1 folder=$2 here=$3 ids=$4
        shift 4
        mount --bind "$folder" "$root$folder" && mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 1
        exec chroot "$root" setpriv --reuid "${ids%:*}" --regid "${ids#*:}" --clear-groups env -C "$here" "$@"
    ' inside "$root" "$dir" "$PWD" "$ids" "$@"
}

# ids_in ROOT USER: prints the ids of the user and of its group, as that system knows them.
ids_in() { awk -F: -v name="$2" '$1 == name { print $3 ":" $4 }' "$1/etc/passwd"; }
