#!/usr/bin/env bash
# The servers that the tests need: RabbitMQ, PostgreSQL and Redis.
#
#   deploy/services.sh start     makes sure that all three answer; they stay until `stop`
#   deploy/services.sh env       prints `export DEBRIEF_TEST_…` lines:  eval "$(deploy/services.sh env)"
#   deploy/services.sh status    what answers where; exit 1 when something does not
#   deploy/services.sh stop      ends what `start` started, and nothing else; the data stay
#   deploy/services.sh run CMD…  start, CMD with the variables set, and stop (unless `start` was called before)
#
# For those who break a server that this script runs; `start` mends what they did:
#   deploy/services.sh signal SERVER SIGNAL   to each of its processes: KILL, STOP, CONT …
#   deploy/services.sh rabbitmqctl ARGS…      on its RabbitMQ
#
# Each server is, in this order: the one named by a DEBRIEF_TEST_…_URL that is already set; the one that
# this script runs; one that answers on its standard port with its default credentials; a new one, from
# Debian's packages (installed when missing), on a port and in a folder of its own, on loopback only.
# The folder is `.services` in the checkout, or $DEBRIEF_SERVICES_DIR. Delete it, after `stop`, to start afresh.
# With DEBRIEF_SERVICES_OWN=1 only servers of that folder are used, whatever else is set or answers. Several
# folders can have their servers running side by side.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deadline_s=120
# Debian keeps some of the programs where only root looks for them.
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

# ---------------------------------------------------------------- the folder, and who owns what in it

# PostgreSQL refuses to run as root, and the other two should not: as root each server runs as the user that
# its package made. That user must be able to reach the folder, which it cannot under /root.
choose_folder() {
    dir=${DEBRIEF_SERVICES_DIR:-$checkout/.services}
    case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
    mkdir -p "$dir"
    if is_root && ! setpriv --reuid nobody --clear-groups test -x "$dir" 2>/dev/null; then
        [ -z "${DEBRIEF_SERVICES_DIR:-}" ] || die "$dir cannot be reached by other users than root; choose another DEBRIEF_SERVICES_DIR"
        # Nobody but root can have made it: in /var/tmp anybody could have taken the name first.
        dir=/var/lib/debrief-services/$(printf '%s' "$checkout" | sha256sum | cut -c1-12)
        mkdir -p "$dir"
    fi
    exec 9>"$dir/lock"
}

# own NAME: makes the folder of a server, for its user only.
own() {
    mkdir -p "$dir/$1"
    if is_root; then chown "$(user_of "$1")" "$dir/$1"; fi
    chmod 700 "$dir/$1"
}

user_of() {
    case $1 in postgresql) echo postgres ;; redis) echo redis ;; *) echo rabbitmq ;; esac
}

# as NAME CMD…: as the user of that server, in its folder.
as() {
    local name=$1
    shift
    cd "$dir/$name"
    if is_root; then
        exec setpriv --reuid "$(user_of "$name")" --regid "$(id -g "$(user_of "$name")")" --clear-groups "$@"
    fi
    exec "$@"
}

# ---------------------------------------------------------------- processes

# A process is its id and its start time: an id alone may be somebody else's by now.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name, in parentheses, may hold blanks; what follows it counts from field 3.
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

runs() {
    local pid start
    read -r pid start 2>/dev/null <"$dir/$1.pid" || return 1
    [ "$(started_at "$pid")" = "$start" ]
}

# launch PROCESS NAME CMD…: in a session of its own, so that Ctrl-C in a test does not reach it.
launch() {
    local process=$1 name=$2
    shift 2
    (as "$name" setsid "$@") </dev/null >"$dir/$process.log" 2>&1 8>&- 9>&- &
    local pid=$!
    disown "$pid"
    echo "$pid $(started_at "$pid" || echo 0)" >"$dir/$process.pid"
}

# end PROCESS SIGNAL
end() {
    local pid start waited=0
    if runs "$1"; then
        # One that was stopped would never see it.
        signal "$1" CONT
        read -r pid start <"$dir/$1.pid"
        kill "-$2" "$pid" 2>/dev/null || true
        while runs "$1"; do
            sleep 0.1
            waited=$((waited + 1))
            if [ "$waited" = 300 ]; then
                say "$1 does not end, killing it"
                kill -KILL "$pid" 2>/dev/null || true
            fi
            [ "$waited" -lt 350 ] || die "$1 (process $pid) cannot be ended"
        done
    fi
    rm -f "$dir/$1.pid"
}

# await PROCESS CMD…: until CMD succeeds, the process ends or the deadline is past.
await() {
    local process=$1 until=$((SECONDS + deadline_s))
    shift
    until "$@"; do
        runs "$process" || fail "$process ended before it answered"
        [ "$SECONDS" -lt "$until" ] || fail "$process does not answer after $deadline_s s"
        sleep 0.2
    done
}

fail() {
    say "$1; the end of $dir/${1%% *}.log:"
    tail -n 25 "$dir/${1%% *}.log" >&2
    exit 1
}

# family ID: the process and those that it started.
family() { echo "$1" "$(cat "/proc/$1/task/"*/children 2>/dev/null || true)"; }

# signal NAME SIGNAL: to all of its processes at once; after KILL they are gone, and their port is free.
signal() {
    local pid all waited=0
    runs "$1" || die "$1 is none that this script runs"
    read -r pid _ <"$dir/$1.pid"
    read -ra all < <(family "$pid")
    # Some may end by themselves meanwhile.
    kill "-$2" "${all[@]}" 2>/dev/null || true
    [ "$2" = KILL ] || return 0
    for pid in "${all[@]}"; do
        # Until nothing is left of it: a PostgreSQL would take the dead one for one that runs.
        while [ -e "/proc/$pid" ]; do
            sleep 0.05
            waited=$((waited + 1))
            [ "$waited" -lt 600 ] || die "$1 (process $pid) cannot be killed"
        done
    done
}

# ---------------------------------------------------------------- ports

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port NAME: kept from one start to the next, unless somebody else has taken it meanwhile. They lie below
# the range from which the kernel takes the ports of outgoing connections.
port() {
    local port
    port=$(cat "$dir/$1.port" 2>/dev/null || true)
    while [ -z "$port" ] || is_open "$port"; do port=$((20000 + RANDOM % 10000)); done
    echo "$port" >"$dir/$1.port"
    echo "$port"
}

# ---------------------------------------------------------------- who answers

# Logs in by hand, so that no client is needed: protocol header, Connection.Start, Connection.Start-Ok with
# guest:guest; a server that lets us in goes on with Connection.Tune, which is class 10, method 30.
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

# It has to let us in and let us create databases.
postgres_answers() {
    local psql
    psql=$(command -v psql) || psql=$(postgres_bin)/psql
    [ -x "$psql" ] || return 1
    [ "$(PGCONNECT_TIMEOUT=5 "$psql" -XAtqw "postgres://postgres:postgres@127.0.0.1:$1/postgres" \
        -c 'SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user' 2>/dev/null)" = t ]
}

postgres_bin() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1; }

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
    is_installed "$1" && return
    local as_root=() by_hand="install it (\`apt-get install $1\`), or set DEBRIEF_TEST_AMQP_URL, DEBRIEF_TEST_DATABASE_URL and DEBRIEF_TEST_REDIS_URL to servers that the tests may use"
    command -v apt-get >/dev/null || die "$1 is missing and this is no Debian: $by_hand"
    if ! is_root; then
        if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && [ ! -t 0 ]; }; then
            die "$1 is missing and installing it needs root or sudo: $by_hand"
        fi
        as_root=(sudo)
    fi
    say "installing $1"
    # The packages would start their servers at once and at each boot. Ours need neither.
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
    is_installed "$1" || die "$1 is installed, but not where it is looked for"
}

# ---------------------------------------------------------------- starting each of them

# Sets `erlang`, the start of every command that belongs to our broker: which port mapper it asks, which node
# it is or talks to, and whose cookie it has. Nodes of different folders have the same name and never meet.
erlang_of() {
    erlang=(env "HOME=$dir/rabbitmq" ERL_EPMD_ADDRESS=127.0.0.1 "ERL_EPMD_PORT=$1" RABBITMQ_NODENAME=debrief-dev@localhost)
}

run_rabbitmqctl() {
    runs rabbitmq || die "rabbitmq is none that this script runs"
    local erlang
    erlang_of "$(cat "$dir/epmd.port")"
    (as rabbitmq "${erlang[@]}" "RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq/rabbitmq-env.conf" \
        /usr/lib/rabbitmq/bin/rabbitmqctl "$@" 9>&-)
}

start_rabbitmq() {
    install_package rabbitmq-server
    own rabbitmq
    local home=$dir/rabbitmq amqp epmd dist erlang
    end rabbitmq TERM
    end epmd TERM
    amqp=$(port rabbitmq) epmd=$(port epmd) dist=$(port rabbitmq-dist)
    cat >"$home/rabbitmq.conf" <<CONF
listeners.tcp.local = 127.0.0.1:$amqp
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.relative = 0.4
log.console = true
log.file = false
CONF
    echo '[].' >"$home/enabled_plugins"
    if is_root; then chown rabbitmq "$home/rabbitmq.conf" "$home/enabled_plugins"; fi
    # A port mapper of our own: the one that Erlang starts by itself listens everywhere and outlives the broker.
    erlang_of "$epmd"
    launch epmd rabbitmq "${erlang[@]}" epmd -address 127.0.0.1 -port "$epmd"
    await epmd is_open "$epmd"
    # RUNNING_UNDER_SYSTEMD makes the script become the broker instead of starting it, so that the process
    # whose id we keep is the broker's. The schedulers' busy waiting is for machines that do nothing else.
    launch rabbitmq rabbitmq "${erlang[@]}" \
        RUNNING_UNDER_SYSTEMD=true \
        "RABBITMQ_DIST_PORT=$dist" \
        "RABBITMQ_MNESIA_BASE=$home/data" \
        "RABBITMQ_LOG_BASE=$home/log" \
        "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf" \
        "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config" \
        "RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf" \
        "RABBITMQ_GENERATED_CONFIG_DIR=$home/generated" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins" \
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none" \
        /usr/lib/rabbitmq/bin/rabbitmq-server
    await rabbitmq amqp_answers "$amqp"
}

start_postgresql() {
    install_package postgresql
    own postgresql
    local data=$dir/postgresql/data bin port
    end postgresql INT
    # A folder belongs to the major version that made it.
    bin=/usr/lib/postgresql/$(cat "$data/PG_VERSION" 2>/dev/null || true)/bin
    [ -x "$bin/postgres" ] || bin=$(postgres_bin)
    port=$(port postgresql)
    if [ ! -f "$data/PG_VERSION" ]; then
        # Into another folder first: an initdb that was cut short leaves one that looks finished.
        local new=$dir/postgresql/new
        rm -rf "$new"
        (
            umask 077
            as postgresql bash -c '
                exec "$1/initdb" -D "$2" -U postgres --pwfile=<(echo postgres) \
                    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
            ' initdb "$bin" "$new"
        ) >"$dir/postgresql.log" 2>&1 </dev/null || fail "postgresql could not make its data folder"
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

# ---------------------------------------------------------------- which one is used

# locate NAME VARIABLE STANDARD_PORT: sets `origin` (given, ours, standard or none) and `url`.
locate() {
    local given=${!2:-} own=${DEBRIEF_SERVICES_OWN:-}
    if [ -n "$given" ] && [ -z "$own" ]; then
        origin=given url=$given
    elif runs "$1" && answers "$1" "$(cat "$dir/$1.port")"; then
        origin=ours url=$(url_of "$1" "$(cat "$dir/$1.port")")
    elif [ -z "$own" ] && is_open "$3" && answers "$1" "$3"; then
        origin=standard url=$(url_of "$1" "$3")
    else
        origin=none url=
    fi
}

answers() {
    case $1 in
    rabbitmq) amqp_answers "$2" ;;
    postgresql) postgres_answers "$2" ;;
    redis) redis_answers "$2" ;;
    esac
}

url_of() {
    case $1 in
    rabbitmq) echo "amqp://guest:guest@127.0.0.1:$2" ;;
    postgresql) echo "postgres://postgres:postgres@127.0.0.1:$2/postgres" ;;
    redis) echo "redis://127.0.0.1:$2" ;;
    esac
}

# each FUNCTION: calls it with NAME, VARIABLE and STANDARD_PORT of each server.
each() {
    "$1" rabbitmq DEBRIEF_TEST_AMQP_URL 5672
    "$1" postgresql DEBRIEF_TEST_DATABASE_URL 5432
    "$1" redis DEBRIEF_TEST_REDIS_URL 6379
}

ensure() {
    # Whether a PostgreSQL lets us in, only its client can say.
    if [ "$1" = postgresql ] && [ -z "${!2:-}" ] && is_open "$3"; then install_package postgresql-client; fi
    if runs "$1"; then signal "$1" CONT; fi
    locate "$@"
    if [ "$origin" = none ]; then
        "start_$1"
        locate "$@"
        [ "$origin" != none ] || fail "$1 answered and then did not"
    fi
    say "$1: ${url##*@} ($origin)"
}

print_export() {
    locate "$@"
    [ "$origin" != none ] || die "$1 does not answer: deploy/services.sh start"
    printf 'export %s=%q\n' "$2" "$url"
}

print_status() {
    locate "$@"
    case $origin in
    given) echo "$1: given by $2" ;;
    ours) echo "$1: ${url##*@} (ours, process $(cut -d' ' -f1 "$dir/$1.pid"))" ;;
    standard) echo "$1: ${url##*@} (on its standard port)" ;;
    none) echo "$1: does not answer"; all_answer=false ;;
    esac
}

start() { flock 9; each ensure; flock -u 9; }

stop() {
    flock 9
    rm -f "$dir/kept"
    end rabbitmq TERM
    end epmd TERM
    end postgresql INT
    end redis TERM
    flock -u 9
}

# The last `run` of several at once stops the servers: each holds the lock `users` in common with the others.
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
    [ $# = 3 ] || die "signal which server, and how? signal rabbitmq KILL"
    choose_folder
    signal "$2" "$3"
    ;;
rabbitmqctl)
    shift
    choose_folder
    run_rabbitmqctl "$@"
    ;;
run)
    shift
    [ $# -gt 0 ] || die "run what?"
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
