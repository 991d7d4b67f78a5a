# Everything a person or a build machine calls. Each target is one script.
# `make install PG_CONFIG=/path/to/pg_config` is for a server that exists.

.DEFAULT_GOAL := help
.PHONY: help demo test install bench lint setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install ## install everything, import a real scan in a database of its own, end with a psql command
	@scripts/demo

test: install ## run every check: lint, unit tests, pgTAP, dump and restore, crashes, clients, documentation
	@scripts/test

install: setup ## build the extension and install it into the server of PG_CONFIG
	@scripts/install

bench: install ## run the benchmarks of bench/
	@bench/run

lint: setup ## rustfmt, clippy and shellcheck alone
	@scripts/test lint

setup: ## install what building and testing need: Debian packages, cargo-pgrx
	@scripts/setup

clean: ## stop and remove the checkout's own clusters, and remove what was built
	@scripts/clean
