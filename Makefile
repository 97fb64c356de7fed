# `make` alone lists what there is. Everything honours CARGO_TARGET_DIR and CARGO.

CARGO ?= cargo
# For the CI: --locked
LOCKED ?=
# For `make test`: --no-fail-fast, -p store, a test's name …  For `make bench`: ingest, overload, pipeline,
# drain, scale, large, idle, start, load --url URL --rate N …
# For `make faults`: list, fast, all, run NAME --seed N …
ARGS ?=

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench faults fmt docs services

help:
	@echo "make demo      Debrief with sample calls and simulated providers; nothing else has to be installed"
	@echo "make test      all tests; starts RabbitMQ, PostgreSQL and Redis for them where none answers"
	@echo "make lint      formatting, unused dependencies, clippy with warnings as errors, cargo deny if installed"
	@echo "make bench     measures, and writes load-tests/RESULTS.md; ARGS=help names the parts, ARGS=\"drain --messages 10000\" is one"
	@echo "make faults    breaks a deployment in every way there is, and looks whether it kept its promises;"
	@echo "               ARGS=list names them, ARGS=fast plays those of the CI, ARGS=\"run NAME\" one"
	@echo "make fmt       formats the code"
	@echo "make docs      the documentation of every crate, private items included"
	@echo "make services  starts the servers that tests need and leaves them running (deploy/services.sh stop ends them)"

demo:
	$(CARGO) run $(LOCKED) -p debrief -- demo

# Builds first: the servers need not run meanwhile, and a compile error shows without them.
test:
	$(CARGO) test --workspace $(LOCKED) --no-run
	deploy/services.sh run $(CARGO) test --workspace $(LOCKED) $(ARGS)

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

# Both in one build, so that what they share is compiled once.
bench:
	$(CARGO) build --release $(LOCKED) -p debrief -p load-tests
	deploy/services.sh run "$${CARGO_TARGET_DIR:-target}/release/bench" $(or $(ARGS),all)

# The servers that it breaks are its own.
faults:
	$(CARGO) build $(LOCKED) -p debrief -p load-tests --features debrief/failpoints
	"$${CARGO_TARGET_DIR:-target}/debug/faults" $(or $(ARGS),all)

fmt:
	$(CARGO) fmt --all

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items $(LOCKED)

services:
	deploy/services.sh start
	@deploy/services.sh env
