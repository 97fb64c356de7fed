# The nodes of RabbitMQ: their names, how they are started, and how a test parts them from each other.
#
# This file is sourced by services.sh.
#
# shellcheck shell=bash

# RabbitMQ has one node, or as many as DEBRIEF_RABBITMQ_NODES says, which make a cluster. The first node is called
# `rabbitmq`, the next `rabbitmq-2`, and so on. All of them are on the same port mapper.
nodes() {
    local number
    echo rabbitmq
    for ((number = 2; number <= ${DEBRIEF_RABBITMQ_NODES:-1}; number++)); do echo "rabbitmq-$number"; done
}

# erlang_name NODE: prints the name of the node in the cluster.
erlang_name() { echo "debrief-dev${1#rabbitmq}@localhost"; }

# erlang_of NODE: sets `erlang`, the first words of every command for this node of ours. They say which port mapper the
# command asks, which node it is or talks to, and in which home folder its cookie is. The nodes of different folders have
# the same names, but they never see each other.
erlang_of() {
    local epmd
    epmd=$(cat "$dir/epmd.port")
    erlang=(env "HOME=$dir/rabbitmq" ERL_EPMD_ADDRESS=127.0.0.1 "ERL_EPMD_PORT=$epmd" "RABBITMQ_NODENAME=$(erlang_name "$1")")
}

# run_rabbitmqctl NODE ARGS…
run_rabbitmqctl() {
    runs "$1" || die "this script does not run a server named $1"
    local erlang
    erlang_of "$1"
    (as rabbitmq "${erlang[@]}" "RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq/rabbitmq-env.conf" \
        /usr/lib/rabbitmq/bin/rabbitmqctl "${@:2}" 9>&-)
}

# with_others NODE COOKIE AND: tells the node the cookie of the other nodes. With a wrong one it takes no connection from
# them and gets none.
with_others() {
    local other others=
    for other in $(nodes); do
        if [ "$other" != "$1" ]; then others="$others,'$(erlang_name "$other")'"; fi
    done
    run_rabbitmqctl "$1" eval "[begin erlang:set_cookie(N, $2), $3 end || N <- [${others#,}]]."
}

# Starts the nodes that do not run.
start_rabbitmq() {
    install_package rabbitmq-server
    own rabbitmq
    local node epmd erlang
    if ! runs epmd; then
        for node in $(nodes); do end "$node" TERM; done
        # This is a port mapper of our own. The one that Erlang would start listens on all addresses and goes on running
        # after the broker has ended.
        epmd=$(port epmd)
        erlang_of rabbitmq
        launch epmd rabbitmq "${erlang[@]}" epmd -address 127.0.0.1 -port "$epmd"
        await epmd is_open "$epmd"
    fi
    for node in $(nodes); do
        if ! node_answers "$node"; then launch_node "$node"; fi
    done
    # The nodes of a cluster that stopped together wait for each other, so all of them are started before one is awaited.
    for node in $(nodes); do await "$node" amqp_answers "$(cat "$dir/$node.port")"; done
}

node_answers() { runs "$1" && amqp_answers "$(cat "$dir/$1.port")"; }

launch_node() {
    local node=$1 home=$dir/rabbitmq amqp dist erlang number=0 other
    end "$node" TERM
    amqp=$(port "$node") dist=$(port "$node-dist")
    {
        cat <<CONF
listeners.tcp.local = 127.0.0.1:$amqp
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.relative = 0.4
log.console = true
log.file = false
CONF
        if [ "${DEBRIEF_RABBITMQ_NODES:-1}" -gt 1 ]; then
            echo "cluster_formation.peer_discovery_backend = classic_config"
            # A node on the smaller side of a partition stops its work until the partition is over.
            echo "cluster_partition_handling = pause_minority"
            for other in $(nodes); do
                number=$((number + 1))
                echo "cluster_formation.classic_config.nodes.$number = $(erlang_name "$other")"
            done
        fi
    } >"$home/$node.conf"
    echo '[].' >"$home/enabled_plugins"
    # The nodes of a cluster have the same cookie.
    if [ ! -e "$home/.erlang.cookie" ]; then (umask 377 && openssl rand -hex 16 >"$home/.erlang.cookie"); fi
    give rabbitmq "$home/$node.conf" "$home/enabled_plugins" "$home/.erlang.cookie"
    erlang_of "$node"
    # With RUNNING_UNDER_SYSTEMD the start script turns into the broker and does not start a second process. So the
    # process whose id is kept is the broker. The busy waiting of the schedulers is switched off (`+sbwt none` and so
    # on), because it needs a machine that does nothing else.
    launch "$node" rabbitmq "${erlang[@]}" \
        RUNNING_UNDER_SYSTEMD=true \
        "RABBITMQ_DIST_PORT=$dist" \
        "RABBITMQ_MNESIA_BASE=$home/data" \
        "RABBITMQ_LOG_BASE=$home/log" \
        "RABBITMQ_CONFIG_FILE=$home/$node.conf" \
        "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config" \
        "RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf" \
        "RABBITMQ_GENERATED_CONFIG_DIR=$home/generated-$node" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins" \
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none" \
        /usr/lib/rabbitmq/bin/rabbitmq-server
}
