#!/usr/bin/env bash
# Prepares and checks deploy/compose.yaml.
#
#   deploy/compose.sh secrets   makes the passwords and keys in deploy/secrets/ that are missing; what is there is kept
#   deploy/compose.sh check     checks the file with the reference implementation of the Compose Specification, and
#                               compares what refers to each other (needs Go, Python and the program `jq`)
#
# The reference implementation is built once from its Go module. DEBRIEF_TOOLS names another folder for it, and
# DEBRIEF_SECRETS another folder for the secrets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

secrets=${DEBRIEF_SECRETS:-secrets}
tools=${DEBRIEF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/debrief/tools}
version=v2.16.2

die() {
    echo "deploy/compose.sh: $*" >&2
    exit 1
}

# A secret is readable for every user, because the containers run as different users and the files keep their modes.
# Only their owner can enter the folder.
secret() {
    if [ ! -e "$secrets/$1" ]; then
        cat >"$secrets/$1.new"
        chmod 0444 "$secrets/$1.new"
        mv "$secrets/$1.new" "$secrets/$1"
        echo "made $secrets/$1"
    fi
}
random() { od -An -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

make_secrets() {
    mkdir -p "$secrets"
    chmod 0700 "$secrets"
    local name
    for name in postgres_password rabbitmq_password redis_password minio_password grafana_password; do
        random 24 | secret "$name"
    done
    for name in api_key webhook_key seal_key; do random 32 | secret "$name"; done
    printf 'postgres://debrief:%s@postgresql/debrief' "$(cat "$secrets/postgres_password")" | secret database_url
    printf 'amqp://debrief:%s@rabbitmq' "$(cat "$secrets/rabbitmq_password")" | secret amqp_url
    printf 'redis://:%s@redis' "$(cat "$secrets/redis_password")" | secret redis_url
    printf 'default_user = debrief\ndefault_pass = %s\n' "$(cat "$secrets/rabbitmq_password")" | secret rabbitmq.conf
    printf 'requirepass %s\nsave ""\n' "$(cat "$secrets/redis_password")" | secret redis.conf
    printf '# Settings of providers, such as: slack_webhook_url = "https://…". See debrief check --defaults.\n' |
        secret providers.toml
}

# Prints the file as JSON, with its variables filled in. It fails where the file does not fit the schema.
model_of() { "$tools/compose-spec-$version" --format json "$1"; }

# Prints the names that a service uses and nothing defines: secrets, volumes and other services.
undefined() {
    jq -r '. as $all | .services | to_entries[] | .value
        | ((.secrets // [])[] | .source | select($all.secrets[.] == null) | "the secret \(.)"),
          ((.volumes // [])[] | select(.type == "volume") | .source as $name | select(($all.volumes | has($name)) | not) | $name | "the volume \(.)"),
          ((.depends_on // {}) | keys[] | select($all.services[.] == null) | "the service \(.)")' | sort -u
}

check() {
    command -v jq >/dev/null || die "\`jq\` is missing (apt-get install jq)"
    local program=$tools/compose-spec-$version model folder
    if [ ! -x "$program" ]; then
        [ -n "$(command -v go)" ] || die "\`go\` is missing, so the program that checks the file cannot be built (apt-get install golang)"
        echo "building compose-spec $version (once)"
        mkdir -p "$tools/build"
        GOBIN=$tools/build GOFLAGS=-mod=mod go install "github.com/compose-spec/compose-go/v2/cmd@$version" ||
            die "compose-spec $version cannot be built"
        mv "$tools/build/cmd" "$program"
    fi
    model=$(model_of compose.yaml) || die "compose.yaml is not valid"
    local broken
    broken=$(undefined <<<"$model")
    [ -z "$broken" ] || die "it is used and not defined: $broken"
    # A check that lets everything pass would say nothing.
    for broken in 's/healthcheck:/healthchek:/' 's/condition: service_healthy/condition: service_well/' \
        's/- webhook_key$/- webhok_key/' 's/rabbitmq: {condition/rabitmq: {condition/' 's/minio:\/data"/mino:\/data"/'; do
        sed "$broken" compose.yaml >compose.broken.yaml
        if model_of compose.broken.yaml >compose.broken.json 2>/dev/null && [ -z "$(undefined <compose.broken.json)" ]; then
            rm compose.broken.*
            die "the check lets a broken file pass ($broken)"
        fi
        rm compose.broken.*
    done
    local found
    found=$(jq -r '.services | to_entries[] | select(.value.image | endswith(":latest") and (startswith("localhost/debrief") | not)) | .key' <<<"$model")
    [ -z "$found" ] || die "no version is pinned for: $found"
    found=$(jq -r '.services | to_entries[] | select(.value.restart == null) | .key' <<<"$model")
    [ -z "$found" ] || die "no restart policy: $found"
    found=$(jq -r '.services | to_entries[] | select(.value.restart == "unless-stopped" and .value.healthcheck.test == null) | .key' <<<"$model")
    [ -z "$found" ] || die "no health check: $found"
    found=$(jq -r '.services | to_entries[] | .value.environment // {} | to_entries[]
        | select((.key | test("PASSWORD|SECRET|TOKEN|_KEY$")) and (.key | test("_FILE$|__FILE$") | not)) | .key' <<<"$model")
    [ -z "$found" ] || die "a secret stands in the environment: $found"
    found=$(jq -r '.services | to_entries[] | .value.volumes // [] | .[] | select(.type == "bind") | .source' <<<"$model" |
        while read -r source; do [ -e "$source" ] || echo "$source"; done)
    [ -z "$found" ] || die "a file that is mounted does not exist: $found"
    # Each secret is one that `secrets` makes.
    folder=$(mktemp -d)
    DEBRIEF_SECRETS=$folder "$PWD/compose.sh" secrets >/dev/null
    found=$(jq -r '.secrets[].file' <<<"$model" |
        while read -r file; do [ -s "$folder/$(basename "$file")" ] || echo "$file"; done)
    rm -rf "$folder"
    [ -z "$found" ] || die "\`secrets\` does not make: $found"
    echo "deploy/compose.yaml is well ($(jq '.services | length' <<<"$model") services)"
}

case ${1:-} in
secrets) make_secrets ;;
check) check ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
