#!/usr/bin/env bash
# Runs the servers that the tests need: RabbitMQ, PostgreSQL, Redis and, for tests of blobs in S3, MinIO.
#
#   deploy/services.sh start     makes sure that all servers answer; they run until `stop`
#   deploy/services.sh env       prints lines with `export DEBRIEF_TEST_…`; use it so: eval "$(deploy/services.sh env)"
#   deploy/services.sh status    shows which server answers at which address; exits with 1 when one does not answer
#   deploy/services.sh stop      ends the servers that `start` started, and no others; their data are kept
#   deploy/services.sh run CMD…  starts the servers, runs CMD with the variables set, and stops the servers
#                                (but not when `start` was called before)
#
# These commands are for tests that break a server which this script runs. `start` repairs it afterwards.
#   deploy/services.sh signal SERVER SIGNAL   sends a signal (KILL, STOP, CONT …) to each process of the server
#   deploy/services.sh rabbitmqctl [NODE] ARGS…   runs rabbitmqctl on the RabbitMQ
#
# DEBRIEF_RABBITMQ_NODES=3 makes the RabbitMQ a cluster, whose nodes are called rabbitmq, rabbitmq-2 and rabbitmq-3. The
# variable DEBRIEF_TEST_AMQP_URL names the first one.
#   deploy/services.sh cut-off NODE           parts a node from the others, until:
#   deploy/services.sh join NODE
#
# For each server, the first of these is used:
#   1. the server that DEBRIEF_TEST_…_URL names, if that variable is set;
#   2. the server that this script already runs;
#   3. a server that answers on its standard port with its default credentials;
#   4. a new server from Debian's packages, which are installed when they are missing. It has a port and a folder of
#      its own and listens on loopback only.
# MinIO has no package. It is built once from its Go module, which takes some minutes, into a folder outside of the
# checkout (DEBRIEF_TOOLS names another one). Where Go is missing, everything goes on without MinIO, and the tests of
# blobs in S3 say that they were left out. DEBRIEF_TEST_S3_URL is the address of an S3 server with the key and the secret of
# an account that may make buckets: http://key:secret@127.0.0.1:9000.
# The folder is `.services` in the checkout, or $DEBRIEF_SERVICES_DIR. To begin with empty servers, call `stop` and
# delete the folder. With DEBRIEF_SERVICES_OWN=1 only the servers of this folder are used, whatever else is set or
# answers. The servers of several folders can run at the same time.
#
# SERVERS=rabbitmq-4.3,postgresql-18 asks for these versions. They come from other releases of Debian (systems.sh), and have
# a folder and ports of their own: `.services-rabbitmq-4.3,postgresql-18`.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deadline_s=120
tools=${DEBRIEF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/tools}
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
minio_account=debrief:debrief-tests
# Debian installs some of the programs in folders that are only in the search path of root.
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

SERVERS=${SERVERS:-}
. "$checkout/deploy/systems.sh"
. "$checkout/deploy/rabbitmq.sh"

# ---------------------------------------------------------------- the folder and the owners of its parts

# PostgreSQL refuses to run as root, and the other two servers should not run as root. So when this script runs as
# root, each server runs as the user that its package made. That user must be able to enter the folder, but it cannot
# enter a folder below /root.
choose_folder() {
    check_asked
    dir=${DEBRIEF_SERVICES_DIR:-$checkout/.services${SERVERS:+-$SERVERS}}
    case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
    mkdir -p "$dir"
    if is_root && ! setpriv --reuid nobody --clear-groups test -x "$dir" 2>/dev/null; then
        [ -z "${DEBRIEF_SERVICES_DIR:-}" ] || die "$dir cannot be reached by other users than root; choose another DEBRIEF_SERVICES_DIR"
        # Only root can make a folder here. In /var/tmp any user could have made a folder with this name before.
        dir=/var/lib/debrief-services/$(printf '%s' "$checkout" | sha256sum | cut -c1-12)${SERVERS:+-$SERVERS}
        mkdir -p "$dir"
    fi
    exec 9>"$dir/lock"
}

# own NAME: makes the folder of a server, which only the server's user can enter.
own() {
    mkdir -p "$dir/$1"
    give "$1" "$dir/$1"
    chmod 700 "$dir/$1"
}

# give NAME FILE…: makes the server's user the owner.
give() {
    if is_root; then chown "$(ids_in "$(root_of "$1")" "$(user_of "$1")")" "${@:2}"; fi
}

user_of() {
    case $1 in postgresql) echo postgres ;; redis) echo redis ;; minio) echo nobody ;; *) echo rabbitmq ;; esac
}

# as NAME CMD…: runs CMD as the user of that server, in the server's folder.
as() {
    local name=$1 root
    shift
    cd "$dir/$name"
    root=$(root_of "$name")
    if [ -n "$root" ]; then inside "$root" "$(user_of "$name")" "$@"; fi
    if is_root; then
        exec setpriv --reuid "$(user_of "$name")" --regid "$(id -g "$(user_of "$name")")" --clear-groups "$@"
    fi
    exec "$@"
}

# ---------------------------------------------------------------- processes

# A process is known by its id and its start time. The id alone is not enough, because the system can give it to another
# process later.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field is the name in parentheses, and it may hold spaces. The fields after it are counted from field 3.
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

runs() {
    local pid start
    read -r pid start 2>/dev/null <"$dir/$1.pid" || return 1
    [ "$(started_at "$pid")" = "$start" ]
}

# launch PROCESS NAME CMD…: starts CMD in a session of its own, so that Ctrl-C in a test does not end it.
launch() {
    local process=$1 name=$2
    shift 2
    (as "$name" setsid "$@") </dev/null >"$dir/$process.log" 2>&1 8>&- 9>&- &
    local pid=$!
    disown "$pid"
    echo "$pid $(started_at "$pid" || echo 0)" >"$dir/$process.pid"
}

# end PROCESS SIGNAL: ends a process with this signal, and with KILL when it does not end.
end() {
    local pid start waited=0
    if runs "$1"; then
        # A process that was stopped must be continued first, or it would not handle the signal.
        signal "$1" CONT
        read -r pid start <"$dir/$1.pid"
        kill "-$2" "$pid" 2>/dev/null || true
        while runs "$1"; do
            sleep 0.1
            waited=$((waited + 1))
            if [ "$waited" = 300 ]; then
                say "$1 does not end; it is killed now"
                kill -KILL "$pid" 2>/dev/null || true
            fi
            [ "$waited" -lt 350 ] || die "$1 (process $pid) cannot be ended"
        done
    fi
    rm -f "$dir/$1.pid"
}

# await PROCESS CMD…: waits until CMD succeeds. It fails when the process ends or the deadline is past.
await() {
    local process=$1 until=$((SECONDS + deadline_s))
    shift
    until "$@"; do
        runs "$process" || fail "$process ended before it answered"
        [ "$SECONDS" -lt "$until" ] || fail "$process did not answer within $deadline_s s"
        sleep 0.2
    done
}

fail() {
    say "$1; the end of $dir/${1%% *}.log:"
    tail -n 25 "$dir/${1%% *}.log" >&2
    exit 1
}

# family ID: prints the ids of the process and of the processes that it started.
family() { echo "$1" "$(cat "/proc/$1/task/"*/children 2>/dev/null || true)"; }

# signal NAME SIGNAL: sends the signal to all processes of the server at once. After KILL it waits until they are gone
# and their port is free.
signal() {
    local pid all waited=0
    runs "$1" || die "this script does not run a server named $1"
    read -r pid _ <"$dir/$1.pid"
    read -ra all < <(family "$pid")
    # It is no error when one of them has just ended by itself.
    kill "-$2" "${all[@]}" 2>/dev/null || true
    [ "$2" = KILL ] || return 0
    for pid in "${all[@]}"; do
        # It waits until the process is completely gone. Otherwise a new PostgreSQL would believe that the old one still
        # runs.
        while [ -e "/proc/$pid" ]; do
            sleep 0.05
            waited=$((waited + 1))
            [ "$waited" -lt 600 ] || die "$1 (process $pid) cannot be killed"
        done
    done
}

# ---------------------------------------------------------------- ports

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port NAME: prints the port of the server. The server keeps its port from one start to the next, unless another program
# has taken it. Ports are chosen below the range that the kernel uses for outgoing connections.
port() {
    local port
    port=$(cat "$dir/$1.port" 2>/dev/null || true)
    while [ -z "$port" ] || is_open "$port"; do port=$((20000 + RANDOM % 10000)); done
    echo "$port" >"$dir/$1.port"
    echo "$port"
}

# ---------------------------------------------------------------- whether a server answers

# Logs in without a client program. It sends the protocol header, reads Connection.Start, and sends Connection.Start-Ok
# with guest:guest. A server that accepts the login answers with Connection.Tune, which is method 30 of class 10.
amqp_answers() {
    timeout 5 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        frame() {
            local size
            size=$(head -c 7 <&3 | od -An -tu1 | { read -r _ _ _ a b c d; echo $((a << 24 | b << 16 | c << 8 | d)); })
            head -c $((size + 1)) <&3 | head -c 4 | od -An -tu1 | tr -s " "
        }
        printf "AMQP\x00\x00\x09\x01" >&3
        [ "$(frame)" = " 0 10 0 10" ] || exit 1
        printf "\x01\x00\x00\x00\x00\x00\x24\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xce" >&3
        [ "$(frame)" = " 0 10 0 30" ]
    ' amqp "$1" >/dev/null 2>&1
}

redis_answers() {
    timeout 5 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf "PING\r\n" >&3
        IFS= read -r answer <&3
        [ "$answer" = "+PONG"$(printf "\r") ]
    ' redis "$1" >/dev/null 2>&1
}

minio_answers() {
    timeout 5 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf "GET /minio/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3
        IFS= read -r answer <&3
        case $answer in "HTTP/1."?" 200 "*) ;; *) exit 1 ;; esac
    ' minio "$1" >/dev/null 2>&1
}

# The server must accept the login, and the user must be allowed to create databases.
postgres_answers() {
    local psql
    psql=$(command -v psql) || psql=$(postgres_bin)/psql
    # A server of another system brings its own client.
    if [ ! -x "$psql" ]; then
        psql=$(root_of postgresql)
        [ -n "$psql" ] || return 1
        set -- "$1" chroot "$psql" psql
    else
        set -- "$1" "$psql"
    fi
    [ "$(PGCONNECT_TIMEOUT=5 "${@:2}" -XAtqw "postgres://postgres:postgres@127.0.0.1:$1/postgres" \
        -c 'SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user' 2>/dev/null)" = t ]
}

# Prints the newest folder with programs of PostgreSQL in the server's system.
postgres_bin() {
    local root
    root=$(root_of postgresql)
    find "$root/usr/lib/postgresql" -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1 | sed "s|^$root||"
}

# ---------------------------------------------------------------- packages

is_installed() {
    case $1 in
    rabbitmq-server) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] ;;
    postgresql) [ -x "$(postgres_bin)/initdb" ] && [ -x "$(postgres_bin)/postgres" ] ;;
    postgresql-client) [ -n "$(command -v psql)" ] || [ -x "$(postgres_bin)/psql" ] ;;
    redis-server) [ -n "$(command -v redis-server)" ] ;;
    esac
}

install_package() {
    local name=${1%-server}
    name=${name%-client}
    if [ -n "$(root_of "$name")" ]; then
        make_system "$name"
        return
    fi
    is_installed "$1" && return
    local as_root=() by_hand="install it (\`apt-get install $1\`), or set DEBRIEF_TEST_AMQP_URL, DEBRIEF_TEST_DATABASE_URL and DEBRIEF_TEST_REDIS_URL to servers that the tests may use"
    command -v apt-get >/dev/null || die "$1 is missing, and this system has no apt-get to install it: $by_hand"
    if ! is_root; then
        if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && [ ! -t 0 ]; }; then
            die "$1 is missing, and installing it needs root or sudo: $by_hand"
        fi
        as_root=(sudo)
    fi
    say "installing $1"
    # The packages start their servers after the installation and at each boot. This script needs neither, so it
    # prevents both.
    "${as_root[@]}" bash -c '
        set -eu
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >"$policy"
            chmod 755 "$policy"
        fi
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update
        apt-get -q install -y --no-install-recommends "$1"
        if [ "$1" != postgresql-client ] && [ -d /run/systemd/system ]; then systemctl disable "$1"; fi
    ' install "$1" </dev/null >&2 9>&- || die "$1 could not be installed: $by_hand"
    is_installed "$1" || die "$1 is installed, but its programs are not where this script looks for them"
}

# ---------------------------------------------------------------- starting each server

start_postgresql() {
    install_package postgresql
    own postgresql
    local data=$dir/postgresql/data bin port
    end postgresql INT
    # A data folder can be used only by the major version that made it.
    bin=/usr/lib/postgresql/$(cat "$data/PG_VERSION" 2>/dev/null || true)/bin
    [ -x "$(root_of postgresql)$bin/postgres" ] || bin=$(postgres_bin)
    port=$(port postgresql)
    if [ ! -f "$data/PG_VERSION" ]; then
        # The data folder is made under another name and then renamed, because an initdb that was interrupted leaves a
        # folder that looks complete.
        local new=$dir/postgresql/new
        rm -rf "$new"
        (
            umask 077
            as postgresql bash -c '
                exec "$1/initdb" -D "$2" -U postgres --pwfile=<(echo postgres) \
                    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
            ' initdb "$bin" "$new"
        ) >"$dir/postgresql.log" 2>&1 </dev/null || fail "postgresql failed to make its data folder"
        mv "$new" "$data"
    fi
    launch postgresql postgresql "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=300 -c jit=off
    await postgresql postgres_answers "$port"
}

start_redis() {
    install_package redis-server
    own redis
    end redis TERM
    local port
    port=$(port redis)
    launch redis redis redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --daemonize no \
        --save '' --appendonly no
    await redis redis_answers "$port"
}

# build_minio: builds MinIO, unless it is there. It fails where it cannot be built.
build_minio() {
    local minio=$tools/minio-$minio_version
    [ -x "$minio" ] && return
    [ -n "$(command -v go)" ] || return 1
    say "building minio $minio_version (once; it takes some minutes)"
    mkdir -p "$tools/build"
    # The build of another checkout can be under way.
    GOBIN=$tools/build/minio-$$ GOFLAGS=-mod=mod CGO_ENABLED=0 nice -n 10 go install -ldflags '-s -w' \
        "github.com/minio/minio@$minio_version" </dev/null >&2 8>&- 9>&- || return 1
    mv "$tools/build/minio-$$/minio" "$minio"
    rmdir "$tools/build/minio-$$"
}

start_minio() {
    own minio
    end minio TERM
    local port home=$dir/minio
    port=$(port minio)
    mkdir -p "$home/data"
    # The user of the server may not be able to enter the folder of the tools.
    cmp -s "$tools/minio-$minio_version" "$home/minio" || install -m 755 "$tools/minio-$minio_version" "$home/minio"
    if is_root; then chown "$(user_of minio)" "$home/data"; fi
    launch minio minio env "HOME=$home" "MINIO_ROOT_USER=${minio_account%%:*}" "MINIO_ROOT_PASSWORD=${minio_account#*:}" \
        MINIO_BROWSER=off MINIO_UPDATE=off \
        "$home/minio" server --address "127.0.0.1:$port" --quiet "$home/data"
    await minio minio_answers "$port"
}

# ---------------------------------------------------------------- which server is used

# locate NAME VARIABLE STANDARD_PORT: finds the server that is used, and sets `origin` (given, ours, standard or none)
# and `url`.
locate() {
    local given=${!2:-} own=${DEBRIEF_SERVICES_OWN:-}
    if asked "$1" >/dev/null; then own=1; fi
    if [ -n "$given" ] && [ -z "$own" ]; then
        origin=given url=$given
    elif answers_all "$1"; then
        origin=ours url=$(url_of "$1" "$(cat "$dir/$1.port")")
    elif [ -z "$own" ] && is_open "$3" && answers "$1" "$3"; then
        origin=standard url=$(url_of "$1" "$3")
    else
        origin=none url=
    fi
}

# answers_all NAME: whether our server answers, with all its nodes.
answers_all() {
    local node
    if [ "$1" != rabbitmq ]; then
        runs "$1" && answers "$1" "$(cat "$dir/$1.port")"
        return
    fi
    for node in $(nodes); do node_answers "$node" || return 1; done
}

answers() {
    case $1 in
    rabbitmq) amqp_answers "$2" ;;
    postgresql) postgres_answers "$2" ;;
    redis) redis_answers "$2" ;;
    minio) minio_answers "$2" ;;
    esac
}

url_of() {
    case $1 in
    rabbitmq) echo "amqp://guest:guest@127.0.0.1:$2" ;;
    postgresql) echo "postgres://postgres:postgres@127.0.0.1:$2/postgres" ;;
    redis) echo "redis://127.0.0.1:$2" ;;
    minio) echo "http://$minio_account@127.0.0.1:$2" ;;
    esac
}

# each FUNCTION: calls FUNCTION with NAME, VARIABLE and STANDARD_PORT of each server.
each() {
    "$1" rabbitmq DEBRIEF_TEST_AMQP_URL 5672
    "$1" postgresql DEBRIEF_TEST_DATABASE_URL 5432
    "$1" redis DEBRIEF_TEST_REDIS_URL 6379
    # Nobody can tell whether a MinIO on its standard port is one that tests may use, so there is no standard port.
    "$1" minio DEBRIEF_TEST_S3_URL 0
}

ensure() {
    # Only the client of PostgreSQL can find out whether a server accepts the login, so it must be installed.
    if [ "$1" = postgresql ] && [ -z "${!2:-}" ] && is_open "$3"; then install_package postgresql-client; fi
    local process
    for process in "$1" $(if [ "$1" = rabbitmq ]; then nodes; fi); do
        if runs "$process"; then signal "$process" CONT; fi
    done
    locate "$@"
    if [ "$origin" = none ] && [ "$1" = minio ] && ! build_minio; then
        say "minio: there is none, and it cannot be built; blobs in S3 are not tested"
        return
    fi
    if [ "$origin" = none ]; then
        "start_$1"
        locate "$@"
        [ "$origin" != none ] || fail "$1 answered once, but does not answer any more"
    fi
    say "$1: ${url##*@} ($origin)"
}

print_export() {
    locate "$@"
    if [ "$origin$1" = noneminio ]; then return; fi
    [ "$origin" != none ] || die "$1 does not answer; call deploy/services.sh start"
    printf 'export %s=%q\n' "$2" "$url"
}

print_status() {
    locate "$@"
    case $origin in
    given) echo "$1: given by $2" ;;
    ours) echo "$1: ${url##*@} (ours, process $(cut -d' ' -f1 "$dir/$1.pid"))" ;;
    standard) echo "$1: ${url##*@} (on its standard port)" ;;
    none) echo "$1: does not answer"; [ "$1" = minio ] || all_answer=false ;;
    esac
}

start() { flock 9; each ensure; flock -u 9; }

stop() {
    flock 9
    rm -f "$dir/kept"
    local file
    for file in "$dir"/rabbitmq*.pid; do
        [ ! -e "$file" ] || end "$(basename "$file" .pid)" TERM
    done
    end epmd TERM
    end postgresql INT
    end redis TERM
    end minio TERM
    flock -u 9
}

# When several `run`s use the servers at the same time, the last one stops them. Each of them holds a shared lock on the
# file `users`, and only the last one can get the exclusive lock.
leave() {
    if [ ! -e "$dir/kept" ] && flock -n -x 8; then stop; fi
}

case ${1:-} in
start)
    choose_folder
    start
    touch "$dir/kept"
    ;;
stop)
    choose_folder
    stop
    ;;
env)
    choose_folder
    each print_export
    ;;
status)
    choose_folder
    all_answer=true
    each print_status
    $all_answer
    ;;
signal)
    [ $# = 3 ] || die "name a server and a signal, for example: signal rabbitmq KILL"
    choose_folder
    signal "$2" "$3"
    ;;
rabbitmqctl)
    shift
    choose_folder
    case ${1:-} in rabbitmq | rabbitmq-*) ;; *) set -- rabbitmq "$@" ;; esac
    run_rabbitmqctl "$@"
    ;;
cut-off)
    choose_folder
    with_others "$2" wrong 'erlang:disconnect_node(N)'
    ;;
join)
    choose_folder
    with_others "$2" 'erlang:get_cookie()' 'net_kernel:connect_node(N)'
    ;;
run)
    shift
    [ $# -gt 0 ] || die "name the command to run, for example: run cargo test"
    choose_folder
    exec 8>"$dir/users"
    flock -s 8
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start
    exports=$(each print_export)
    eval "$exports"
    "$@" 8>&- 9>&-
    ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
