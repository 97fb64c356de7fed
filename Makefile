# `make` without a target lists all targets. All of them use the variables CARGO and CARGO_TARGET_DIR, if they are set.

CARGO ?= cargo
# The CI sets this to --locked.
LOCKED ?=
# What is built for the checks that drive the program or break it. The CI names all tests too: then one build serves the tests
# and all these checks, and nothing is compiled twice with other features.
PROGRAMS ?= -p debrief -p load-tests
# Features of the program that `make test` tests. The CI names those of the checks, for the same reason.
FEATURES ?=
# Further arguments for a target.
# `make test` takes those of cargo test: --no-fail-fast, -p store, the name of a test …
# `make bench` takes ingest, overload, pipeline, drain, scale, autoscale, model, large, memory, audio, live, console, practice, idle, start, load --url URL --rate N …
# `make contract` takes the seconds that the fuzzer runs; with 0 it sends a fixed list of requests.
# `make sockets` takes embedded or servers; without one of them it runs both.
# `make browser` takes the folder for screenshots and the names of checks (pages, keyboard, speed).
# `make faults` takes list, fast, all, run NAME --seed N …
# `make chart` takes --cluster, which builds a real API server first.
ARGS ?=
# `make test` takes other versions of the servers (deploy/systems.sh), for example rabbitmq-4.3,postgresql-18. Then it runs
# only what uses servers.
SERVERS ?=
export SERVERS

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint whisper sdks contract sockets browser bench faults upgrade drill watch chart image one-machine fmt docs services

help:
	@echo "make demo      runs Debrief with sample calls and simulated providers; nothing else has to be installed"
	@echo "make test      runs all tests; starts RabbitMQ, PostgreSQL and Redis for them if they do not run;"
	@echo "               SERVERS=rabbitmq-4.3,postgresql-18 runs those that use servers on other versions"
	@echo "make lint      checks the formatting and unused dependencies, runs clippy, and runs cargo deny if it is installed"
	@echo "make whisper   checks the code of the feature \`whisper\`, which is off in everything else (the first time it compiles"
	@echo "               fifty crates more); ARGS=test runs its tests too"
	@echo "make contract  holds the OpenAPI document and the running program to each other: validator, linter, generated"
	@echo "               client and fuzzer; needs Python and Node.js; ARGS=20 fuzzes for 20 seconds"
	@echo "make sockets   runs live calls and listens with the public clients of Socket.IO, in one process and on servers; needs"
	@echo "               Python and Node.js; ARGS=embedded needs no servers"
	@echo "make browser   walks through every page in a real Chromium, which it installs on Debian when it is missing; needs"
	@echo "               Node.js; ARGS=\"FOLDER pages\" names the folder for screenshots and the checks"
	@echo "make bench     measures Debrief and writes load-tests/RESULTS.md; ARGS=help lists the measurements,"
	@echo "               ARGS=\"drain --messages 10000\" runs one of them"
	@echo "make faults    breaks a deployment in many ways, and checks that it keeps its promises;"
	@echo "               ARGS=list lists the faults, ARGS=fast runs those of the CI, ARGS=\"run NAME\" runs one"
	@echo "make fuzz      feeds damaged files to every reader of recordings, transcripts, answers and webhooks;"
	@echo "               ARGS=\"--seconds 60 --only flac\" says how long and which"
	@echo "make upgrade   updates a deployment from the commit that deploy/upgrade-from names to this one under load, and"
	@echo "               rolls it back"
	@echo "make sdks      holds the simulators to the public clients of the providers; it needs Python and its packages"
	@echo "make chart     checks the chart in helm/debrief; builds helm and kubeconform once (needs Go and Python);"
	@echo "               ARGS=--cluster builds a real API server too, and installs the chart on it"
	@echo "make watch     checks the alerts with their tests, and each query of the dashboards, on a real Prometheus that"
	@echo "               scrapes the demo (needs Python, and Debian or an installed Prometheus)"
	@echo "make image     builds the image with a static binary, and starts every role from its root (needs buildah and root)"
	@echo "make drill     loses a deployment on servers and restores it from a dump; it starts servers of its own"
	@echo "make one-machine  checks deploy/compose.yaml and deploy/debrief.service (needs Go, jq and systemd-analyze)"
	@echo "make fmt       formats the code"
	@echo "make docs      builds the documentation of every crate, private items included"
	@echo "make services  starts the servers that the tests need; they run until deploy/services.sh stop"

demo:
	$(CARGO) run $(LOCKED) -p debrief -- demo

# The tests are built before the servers are started. So the servers do not run during the build, and a compile error
# shows at once.
ifeq ($(SERVERS),)
test:
	$(CARGO) test --workspace $(LOCKED) $(FEATURES) --no-run
	deploy/services.sh run $(CARGO) test --workspace $(LOCKED) $(FEATURES) $(ARGS)
else
test:
	$(CARGO) test --workspace $(LOCKED) $(SUITES) --no-run
	deploy/services.sh run $(CARGO) test --workspace $(LOCKED) $(SUITES) --no-fail-fast $(ARGS)
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	"$${CARGO_TARGET_DIR:-target}/debug/faults" run $(BROKER_FAULTS) --kind servers --unrecorded
endif

# The suites of the broker and of the store, and the black-box test.
SUITES := --test brokers --test suite --test blackbox
BROKER_FAULTS := broker-killed broker-down broker-hangs memory-alarm queue-full queue-deleted queue-purged \
	exchange-deleted queue-of-another-kind unreadable-messages

# The reader of media is optimized in this profile too, and overflows are found.
fuzz:
	$(CARGO) run $(LOCKED) -p media --example fuzz -- $(ARGS)
	$(CARGO) run $(LOCKED) -p ingest --features testing --example fuzz_bodies -- $(ARGS)

lint:
	$(CARGO) fmt --all --check
	.ci/unused-dependencies
	$(CARGO) clippy --workspace --all-targets $(LOCKED) -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "$(CARGO) deny check bans licenses sources"; \
		$(CARGO) deny check bans licenses sources; \
	else \
		echo "cargo deny is not installed: licences and banned crates are not checked"; \
	fi

whisper:
	$(CARGO) clippy -p providers --all-targets --features whisper $(LOCKED) -- -D warnings
	@if [ "$(ARGS)" = test ]; then \
		$(CARGO) test -p providers --features whisper $(LOCKED) whisper; \
	fi

contract:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	.ci/contract "$${CARGO_TARGET_DIR:-target}/debug/debrief" $(ARGS)

sockets:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	.ci/sockets "$${CARGO_TARGET_DIR:-target}/debug/debrief" $(ARGS)

browser:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	.ci/browser "$${CARGO_TARGET_DIR:-target}/debug/debrief" $(or $(ARGS),"$${CARGO_TARGET_DIR:-target}/screenshots")

# Both crates are built by one command, so that the crates that they share are compiled only once.
bench:
	$(CARGO) build --release $(LOCKED) -p debrief -p load-tests
	deploy/services.sh run "$${CARGO_TARGET_DIR:-target}/release/bench" $(or $(ARGS),all)

# The fault runner starts servers of its own and breaks only these.
faults:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	"$${CARGO_TARGET_DIR:-target}/debug/faults" $(or $(ARGS),all)

# The older version is built once, which takes some minutes.
upgrade:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	deploy/upgrade.sh "$${CARGO_TARGET_DIR:-target}/debug/faults" $(ARGS)

sdks:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	folder=$$(.ci/python sdks load-tests/sdks/requirements.txt) && \
		"$$folder/bin/python" -B load-tests/sdks/check.py "$${CARGO_TARGET_DIR:-target}/debug/simulate"

chart:
	deploy/chart.sh $(ARGS)

watch:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	deploy/watch.sh "$${CARGO_TARGET_DIR:-target}/debug/debrief"

image:
	deploy/image.sh

drill:
	$(CARGO) build $(LOCKED) $(PROGRAMS) --features debrief/failpoints
	deploy/drill.sh "$${CARGO_TARGET_DIR:-target}/debug"

one-machine:
	deploy/compose.sh check
	@if command -v systemd-analyze >/dev/null; then \
		deploy/systemd.sh; \
	else \
		echo "systemd-analyze is not installed: deploy/debrief.service is not checked"; \
	fi

fmt:
	$(CARGO) fmt --all

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items $(LOCKED)

services:
	deploy/services.sh start
	@deploy/services.sh env
