#!/usr/bin/env bash
# Builds the image of Debrief from this checkout, without a container engine, and starts every role from its root.
#
#   deploy/image.sh                  builds the binary and the image `localhost/debrief`, and tests the image
#   deploy/image.sh build            only builds them
#   deploy/image.sh test             only tests the image that was built last
#   deploy/image.sh save FILE        writes the image as an archive that `docker load` and `podman load` read
#   deploy/image.sh root BINARY TO   only makes the root folder of the image from a static binary
#
# Building needs Rust and Debian's packages `buildah` and `ca-certificates`. The test needs `bubblewrap` and starts
# RabbitMQ and PostgreSQL (see deploy/services.sh); it runs as root, because it becomes the user of the image.
#
# DEBRIEF_BINARY names a static binary that exists already. DEBRIEF_IMAGE_DIR is the folder of the images; it is
# /var/tmp/debrief-images without this setting.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${DEBRIEF_IMAGE_DIR:-/var/tmp/debrief-images}
name=localhost/debrief
user=65532

say() { echo "image: $*"; }
die() {
    echo "deploy/image.sh: $*" >&2
    exit 1
}
need() {
    local program
    for program in "$@"; do
        [ -n "$(command -v "$program")" ] || die "\`$program\` is missing (apt-get install buildah bubblewrap ca-certificates util-linux)"
    done
}
images() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

# ---------------------------------------------------------------- building

build_binary() {
    cd "$checkout"
    local target=${CARGO_TARGET_DIR:-target}
    # Only the last step of the build has to know that the binary is static.
    ${CARGO:-cargo} rustc --release --locked -p debrief --bin debrief -- -C target-feature=+crt-static
    binary=$target/release/debrief
}

# root BINARY TO: makes the root folder of the image.
root() {
    local binary=$1 to=$2
    file_is_static "$binary" || die "$binary is no static binary: a folder without libraries could not run it"
    rm -rf "$to"
    mkdir -p "$to"/{etc/ssl/certs,etc/debrief,usr/local/bin,proc,dev,tmp,run/secrets,var/lib/debrief}
    install -m 0755 "$binary" "$to/usr/local/bin/debrief"
    strip --strip-debug "$to/usr/local/bin/debrief" 2>/dev/null || true
    install -m 0644 /etc/ssl/certs/ca-certificates.crt "$to/etc/ssl/certs/"
    echo "debrief:x:$user:$user:Debrief:/var/lib/debrief:/nonexistent" >"$to/etc/passwd"
    echo "debrief:x:$user:" >"$to/etc/group"
    echo "hosts: files dns" >"$to/etc/nsswitch.conf"
    # Container engines put their own files over these.
    : >"$to/etc/hosts"
    : >"$to/etc/resolv.conf"
    chmod 1777 "$to/tmp"
    chown "$user:$user" "$to/var/lib/debrief"
    chmod 0700 "$to/var/lib/debrief"
}

# A static binary names no program that loads libraries for it.
file_is_static() { ! LC_ALL=C readelf -l "$1" | grep -q 'INTERP'; }

build() {
    need buildah readelf
    mkdir -p "$work"
    local binary=${DEBRIEF_BINARY:-} version
    [ -n "$binary" ] || build_binary
    binary=$(realpath "$binary")
    root "$binary" "$work/context/root"
    version=$("$binary" --version)
    images bud --isolation chroot --format docker --target prebuilt -t "$name:latest" \
        --build-arg "VERSION=${version##* }" \
        --build-arg "REVISION=$(git -C "$checkout" rev-parse HEAD 2>/dev/null || echo unknown)" \
        -f "$checkout/deploy/Dockerfile" "$work/context" >"$work/build.log" 2>&1 || {
        tail -n 20 "$work/build.log" >&2
        die "the image was not built"
    }
    say "built $name:latest ($(images images --format '{{.Size}}' "$name:latest")," \
        "binary $(du -h --apparent-size "$work/context/root/usr/local/bin/debrief" | cut -f1))"
    say "$(images inspect --type image --format \
        'user {{.Docker.Config.User}}, entrypoint {{.Docker.Config.Entrypoint}}, health check {{.Docker.Config.Healthcheck.Test}}' "$name:latest")"
}

save() {
    images push "$name:latest" "docker-archive:$1:debrief:latest" >/dev/null 2>&1 || die "the image cannot be written to $1"
    say "wrote $1 ($(du -h "$1" | cut -f1))"
}

# ---------------------------------------------------------------- testing

# inside DATA CMD…: runs a command in the root of the image, as the user of the image. The root is read-only, and nothing
# but the data folder and /tmp can be written.
inside() {
    local data=$1
    shift
    exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs env -i \
        bwrap --ro-bind "$mounted" / --bind "$data" /var/lib/debrief --tmpfs /tmp --proc /proc --dev /dev \
        --ro-bind "$test/hosts" /etc/hosts --ro-bind "$test/resolv.conf" /etc/resolv.conf \
        --unshare-user --unshare-pid --unshare-ipc --die-with-parent --chdir /etc/debrief \
        --setenv DEBRIEF_DATA_DIR /var/lib/debrief "${settings[@]}" \
        /usr/local/bin/debrief "$@"
}

set_for_role() { settings+=(--setenv "$1" "$2"); }

# debrief_of BWRAP: the process of Debrief below the one of bwrap.
debrief_of() {
    local pid=$1 child
    for _ in 1 2 3; do
        child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) || return 1
        child=${child%% *}
        [ -n "$child" ] || return 1
        pid=$child
        if [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's|.*/||')" = debrief ]; then
            echo "$pid"
            return
        fi
    done
    return 1
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# run_role NAME ARGS…: starts a process, waits until its health check passes, and stops it with SIGTERM.
run_role() {
    local role=$1 data=$test/data-$1 port log=$test/$1.log began pid inner code=0 until
    shift
    mkdir -p "$data"
    chown "$user:$user" "$data"
    chmod 0700 "$data"
    port=$(free_port)
    local settings=("${shared[@]}")
    set_for_role PORT "$port"
    began=$(date +%s%N)
    (inside "$data" run "$@") >"$log" 2>&1 &
    pid=$!
    running=$pid
    until=$((SECONDS + 120))
    until (inside "$data" check --ready) >"$test/ready" 2>&1; do
        [ -d "/proc/$pid" ] || { tail -n 20 "$log" >&2; die "$role ended before it was ready"; }
        [ "$SECONDS" -lt "$until" ] || { tail -n 20 "$log" "$test/ready" >&2; die "$role did not become ready"; }
        sleep 0.02
    done
    local took=$((($(date +%s%N) - began) / 1000000))
    inner=$(debrief_of "$pid") || die "the process of $role is not found"
    # The ids of the process, in the last fields of both lines: real, effective, saved and of the file system.
    grep -qP "^Uid:\t$user\t$user\t$user\t$user" "/proc/$inner/status" || die "$role does not run as user $user"
    grep -qP '^CapEff:\t0+$' "/proc/$inner/status" || die "$role has capabilities"
    kill -TERM "$inner"
    wait "$pid" || code=$?
    running=
    [ "$code" = 0 ] || { tail -n 20 "$log" >&2; die "$role ended with $code after SIGTERM"; }
    grep -q 'the process was asked to stop' "$log" || die "$role does not say that it was asked to stop"
    if grep -qi 'read-only file system' "$log"; then die "$role tried to write outside of its data folder: $(grep -i 'read-only file system' "$log" | head -1)"; fi
    say "$role: ready after $took ms, ended in order on SIGTERM"
}

# Answers every name that ends in .debrief.test with 127.0.0.1, as a DNS server.
dns_server() {
    exec python3 -c '
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    asked, who = server.recvfrom(512)
    end = asked.index(0, 12)
    is_ours = asked[12:end].lower().endswith(b"\x07debrief\x04test")
    kind = asked[end + 1:end + 3]
    answers = is_ours and kind == b"\x00\x01"
    head = asked[:2] + (b"\x85\x80" if is_ours else b"\x85\x83") + b"\x00\x01" + (b"\x00\x01" if answers else b"\x00\x00") + b"\x00\x00\x00\x00"
    body = asked[12:end + 5]
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01" if answers else b""
    server.sendto(head + body + record, who)
' "$1"
}

# The listing of everything in the root, with modes and digests, to see that nothing changed.
listing() { (cd "$1" && find . -xdev -printf '%p %m %U:%G %s %l\n' | sort && find . -xdev -type f -exec sha256sum {} + | sort); }

clean_up() {
    [ -z "${running:-}" ] || kill -KILL "$running" 2>/dev/null || true
    [ -z "${dns:-}" ] || kill "$dns" 2>/dev/null || true
    [ -z "${container:-}" ] || images rm "$container" >/dev/null 2>&1 || true
    [ -z "${test:-}" ] || rm -rf "$test"
}

# Runs with the addresses of servers in DEBRIEF_TEST_…_URL.
test_roles() {
    need bwrap setpriv python3
    trap clean_up EXIT
    test=$(mktemp -d /var/tmp/debrief-image-test.XXXXXX)
    chmod 0755 "$test"
    container=$(images from --pull-never "$name:latest")
    # The storage of the images can be entered by root only.
    cp -a "$(images mount "$container")" "$test/root"
    mounted=$test/root
    chmod 0755 "$mounted"
    listing "$mounted" >"$test/before"
    local address=127.0.0.53
    (dns_server "$address") >"$test/dns.log" 2>&1 &
    dns=$!
    echo "127.0.0.1 localhost files.debrief.example" >"$test/hosts"
    echo "nameserver $address" >"$test/resolv.conf"

    # One process with everything, without servers.
    shared=()
    run_role embedded
    [ -e "$test/data-embedded/debrief.db" ] || die "the store is not in the data folder"

    # Names are resolved by the C library in the binary: one from /etc/hosts, one from DNS, one that does not exist.
    local database=${DEBRIEF_TEST_DATABASE_URL:?} amqp=${DEBRIEF_TEST_AMQP_URL:?} database_name=debrief_image_$$
    local psql
    psql=$(command -v psql || find /usr/lib/postgresql -name psql | tail -1)
    "$psql" -XAtqw "$database" -c "CREATE DATABASE $database_name" || die "the database for the test cannot be made"
    amqp=${amqp/127.0.0.1/broker.debrief.test}
    database=${database/127.0.0.1/files.debrief.example}
    database=${database%/*}/$database_name
    shared=(--setenv DATABASE_URL "$database" --setenv AMQP_URL "$amqp")
    mkdir -p "$test/data-migrate"
    chown "$user:$user" "$test/data-migrate"
    local settings=("${shared[@]}")
    (inside "$test/data-migrate" migrate) >"$test/migrate.log" 2>&1 || { cat "$test/migrate.log" >&2; die "the migration failed"; }
    (inside "$test/data-migrate" check --connect) >"$test/check.log" 2>&1 || { cat "$test/check.log" >&2; die "a server is not reached by its name"; }
    settings=(--setenv DATABASE_URL "${database/files.debrief.example/nowhere.example}" --setenv AMQP_URL "$amqp")
    if (inside "$test/data-migrate" check --connect) >"$test/check.log" 2>&1; then die "a name that does not exist is reached"; fi
    say "names are resolved from /etc/hosts and from DNS"

    local role
    for role in ingest api console live practice dedup transcription analysis crm slack score keeper; do run_role "$role" --role "$role"; done
    "$psql" -XAtqw "${DEBRIEF_TEST_DATABASE_URL}" -c "DROP DATABASE $database_name WITH (FORCE)"
    listing "$mounted" >"$test/after"
    cmp -s "$test/before" "$test/after" || die "the root of the image was changed: $(diff "$test/before" "$test/after" | head -5)"
    say "nothing was written outside of the data folder and /tmp"
}

test_image() {
    [ "$(id -u)" = 0 ] || die "the test becomes the user of the image, so it needs root"
    images images "$name:latest" >/dev/null 2>&1 || die "there is no image yet: call deploy/image.sh build"
    local services
    services=$(mktemp -d /var/tmp/debrief-image-services.XXXXXX)
    chmod 0755 "$services"
    local code=0
    DEBRIEF_SERVICES_DIR=$services DEBRIEF_SERVICES_OWN=1 "$checkout/deploy/services.sh" run "$checkout/deploy/image.sh" test-roles || code=$?
    rm -rf "$services"
    [ "$code" = 0 ] || exit "$code"
}

case ${1:-} in
'')
    build
    test_image
    ;;
build) build ;;
test) test_image ;;
test-roles) test_roles ;;
save)
    [ $# = 2 ] || die "name the file"
    save "$2"
    ;;
root)
    [ $# = 3 ] || die "name the binary and the folder"
    root "$2" "$3"
    ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
