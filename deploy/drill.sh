#!/usr/bin/env bash
# The drill for a deployment on servers: calls come in, PostgreSQL and the blobs are saved while they come in, then
# everything is lost, and the deployment is restored. Every call that was accepted before the dump must end done, and
# nothing may be done twice. docs/backup.md describes each step for your own deployment.
#
#   deploy/drill.sh [FOLDER]     FOLDER has the programs `debrief` and `simulate`; without it, target/debug
#
# The drill has its own RabbitMQ, PostgreSQL and Redis, in a folder that is deleted at the end (see deploy/services.sh).
# CALLS is the number of calls that are accepted before the dump; it is 20 without this setting.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$checkout"
programs=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug}")
calls=${CALLS:-20}
patience=300

work=$(mktemp -d /var/tmp/debrief-drill.XXXXXX)
chmod 0755 "$work"
# The servers of the drill. Debrief refuses settings that it does not know, so nothing of this is exported.
servers() { DEBRIEF_SERVICES_DIR=$work/services DEBRIEF_SERVICES_OWN=1 deploy/services.sh "$@"; }
started=()
say() { echo "drill: $*"; }
die() {
    echo "deploy/drill.sh: $*" >&2
    tail -n 5 "$work"/*.log >&2 2>/dev/null || true
    exit 1
}
clean_up() {
    local pid
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    servers stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

postgres_program() {
    command -v "$1" || find /usr/lib/postgresql -path "*/bin/$1" | sort -V | tail -n 1
}
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}
# until WHAT CMD…: waits until CMD succeeds.
until_true() {
    local what=$1 end=$((SECONDS + patience))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || die "waited $patience s for $what"
        sleep 0.2
    done
}

# ---------------------------------------------------------------- the deployment

open_servers() {
    mkdir -p "$work/services"
    chmod 0755 "$work/services"
    servers start 2>"$work/services.log" || die "the servers do not start"
    local exports
    exports=$(servers env)
    eval "${exports//export /}"
    "$(postgres_program psql)" -XAtqw "$DEBRIEF_TEST_DATABASE_URL" -c 'CREATE DATABASE debrief'
    export DATABASE_URL=${DEBRIEF_TEST_DATABASE_URL%/*}/debrief AMQP_URL=$DEBRIEF_TEST_AMQP_URL REDIS_URL=$DEBRIEF_TEST_REDIS_URL
}

start_roles() {
    local name
    processes=()
    for name in ingest api stages; do
        local roles=(--role "$name") port
        [ "$name" != stages ] || roles=(--role dedup --role transcription --role analysis --role crm --role slack)
        port=$(free_port)
        printf -v "port_$name" %s "$port"
        PORT=$port "$programs/debrief" run "${roles[@]}" >>"$work/$name.log" 2>&1 &
        processes+=($!)
        started+=($!)
    done
    for name in ingest api stages; do
        local port="port_$name"
        until_true "$name to be ready" is_ready "${!port}"
    done
}
is_ready() { PORT=$1 "$programs/debrief" check --ready >/dev/null 2>&1; }

# Brings calls in until the file `stop` exists. The ids of accepted calls go to the file `accepted`.
feed() {
    local number=0 answer
    while [ ! -e "$work/stop" ]; do
        number=$((number + 1))
        sed -e "s/\"uuid\": \"[^\"]*\"/\"uuid\": \"drill-$number==\"/" -e "s/\"topic\": \"[^\"]*\"/\"topic\": \"Drill $number\"/" \
            workers/debrief/samples/meeting.json >"$work/meeting.json"
        if answer=$(curl -fsS -m 20 -F "meeting=@$work/meeting.json" -F transcript=@workers/debrief/samples/meeting.vtt \
            "http://127.0.0.1:$port_ingest/api/meetings" 2>>"$work/feed.log"); then
            jq -r .call_id <<<"$answer" >>"$work/accepted"
        fi
    done
}
accepted() { wc -l 2>/dev/null <"$work/accepted" || echo 0; }
at_least() { [ "$(accepted)" -ge "$1" ]; }

# Whether RabbitMQ holds no call that nobody has taken in yet: no message of the first queue waits or is in hand.
all_taken_in() {
    servers rabbitmqctl list_queues -q --no-table-headers name messages 2>/dev/null |
        awk '$1 ~ /^debrief\.dedup/ { found++; waiting += $2 } END { exit !(found && waiting == 0) }'
}

status_of() { curl -fsS -m 20 "http://127.0.0.1:$port_api/api/calls/$1" 2>/dev/null | jq -r .status; }
all_done() {
    local id
    while read -r id; do [ "$(status_of "$id")" = completed ] || return 1; done <"$1"
}

# ---------------------------------------------------------------- the drill

for program in curl jq; do command -v "$program" >/dev/null || die "\`$program\` is missing (apt-get install curl jq)"; done
for program in debrief simulate; do [ -x "$programs/$program" ] || die "$programs/$program does not exist (cargo build --workspace --bins)"; done

say "starting RabbitMQ, PostgreSQL and Redis in $work"
open_servers
"$programs/simulate" slack --json >"$work/slack.json" 2>"$work/simulate.log" &
started+=($!)
until_true "the simulator of Slack" test -s "$work/slack.json"
slack=$(jq -r .slack "$work/slack.json")
slack=${slack%/}
export DEBRIEF_DATA_DIR=$work/data SLACK_BASE_URL=$slack/api SLACK_BOT_TOKEN=xoxb-drill SLACK_CHANNEL=C0DRILL SLACK_RATE=50/s
"$programs/debrief" migrate >"$work/migrate.log" 2>&1 || die "the migration failed"
# Slack answers slowly, so that there is always work in hand.
curl -fsS -H 'content-type: application/json' -d '{"latency_ms": 1500}' "$slack/_control/faults" >/dev/null || die "the simulator cannot be made slow"
start_roles

say "calls come in"
feed &
feeder=$!
started+=($feeder)
until_true "$calls calls to be accepted" at_least "$calls"
cp "$work/accepted" "$work/before"
# A call that nobody has taken in yet is only in RabbitMQ, which cannot be dumped.
until_true "dedup to take in what was accepted" all_taken_in

# First the database and then the blobs: a blob is written before the row that names it, and is never changed.
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
"$(postgres_program pg_dump)" --format=custom --no-owner --file="$work/debrief.dump" "$DATABASE_URL" || die "pg_dump failed"
mkdir "$work/saved"
cp -a "$DEBRIEF_DATA_DIR/blobs" "$work/saved/blobs"
say "saved $(wc -l <"$work/before") calls at $began, while more came in"

# The deployment goes on for a while, and does things that the dump does not know.
until_true "more calls" at_least "$(($(accepted) + 5))"
until_true "the calls of the dump to be done" all_done "$work/before"
touch "$work/stop"
wait "$feeder" || true

say "losing everything: the processes, RabbitMQ, PostgreSQL, Redis and the blobs"
kill -KILL "${processes[@]}"
wait "${processes[@]}" 2>/dev/null || true
for server in rabbitmq postgresql redis; do servers signal "$server" KILL; done
servers stop >/dev/null 2>&1 || true
rm -rf "$work/services" "$DEBRIEF_DATA_DIR"

say "restoring"
open_servers
"$(postgres_program pg_restore)" --exit-on-error --no-owner --dbname="$DATABASE_URL" "$work/debrief.dump" || die "pg_restore failed"
mkdir -m 0700 "$DEBRIEF_DATA_DIR"
cp -a "$work/saved/blobs" "$DEBRIEF_DATA_DIR/blobs"
"$programs/debrief" migrate >"$work/migrate.log" 2>&1 || die "the migration failed"
"$programs/debrief" effects doubt --since "$began" || die "the restored calls cannot be doubted"
start_roles
until_true "every call of the dump to end done" all_done "$work/before"

twice=$(curl -fsS "$slack/_control/effects" | jq -r '.post | to_entries[] | select(.value != 1) | "\(.key): \(.value) times"')
[ -z "$twice" ] || die "posted more than once: $twice"
posts=$(curl -fsS "$slack/_control/effects" | jq '.post | length')
[ "$posts" -ge "$(wc -l <"$work/before")" ] || die "only $posts messages were posted"
lost=0
while read -r id; do [ -n "$(status_of "$id")" ] || lost=$((lost + 1)); done <"$work/accepted"
say "all $(wc -l <"$work/before") calls that were accepted before the dump are done, and no message was posted twice"
say "$(($(accepted) - $(wc -l <"$work/before"))) calls were accepted later, and $lost of them are not in the dump: their senders have to send them again"
