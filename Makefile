# LLM Twin. `make` alone shows what there is.
#
# CARGO_TARGET_DIR is respected. Ports and folders: see .env.example.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help local-start local-stop local-status local-logs local-clean local-test-cdc local-start-cdc search test bench eval check chaos fuzz images-offline test-containers fmt lint tools build started

# The program as built by `build`, which has shown what there was to see. Named without a package, so that it is not built again with fewer features.
BUILT = cargo run --release --locked --quiet --bin local --
# Says which stack it will be. In containers the image is built from the sources, so that the programs are built here only for the native one.
CHOOSE = cargo build --release --locked --bin local && stack=$$($(BUILT) choose) && if [ "$$stack" = native ]; then $(MAKE) --no-print-directory build; fi
# The copy that `local-start` leaves: it works also while the code does not compile.
STARTED = $${LOCAL_DIR:-.local}/bin/local

help: ## show the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

local-start: tools ## everything up and healthy: servers, producer, consumer; in containers where they can be had (STACK=native|containers decides)
	@$(CHOOSE) && STACK=$$stack $(BUILT) start

local-stop: ## end everything, in order
	@if [ -x "$(STARTED)" ]; then "$(STARTED)" stop; else echo "nothing runs"; fi

local-status: started ## how the stack is, anew each second (q leaves); PLAIN=1, or no terminal: a table, exit 0 only if all is healthy
	@"$(STARTED)" status

local-logs: started ## the end of the logs; SERVICE=producer for one, FOLLOW=1 to go on
	@"$(STARTED)" logs $(SERVICE) $(if $(FOLLOW),--follow)

local-clean: ## stop, and remove data, logs and programs
	@if [ -x "$(STARTED)" ]; then "$(STARTED)" clean; else echo "nothing to remove"; fi

local-test-cdc: started ## a few documents in, found, changed, gone; exit 0 only if so
	@"$(STARTED)" test-cdc

local-start-cdc: tools ## only the producer, in the foreground, each change a line
	@$(CHOOSE) && STACK=$$stack $(BUILT) start-cdc

search: export Q := $(Q)
search: started ## search the stack: make search Q='how do vector databases work'
	@if [ -z "$$Q" ]; then echo "say what to search for: make search Q='…'" >&2; exit 2; fi
	@"$(STARTED)" search "$$Q"

# Programs first: some tests run them, and `cargo test` alone does not build all of them. Then servers and model, which tests find in the cache.
test: tools ## all tests, on private servers
	@cargo build --locked --workspace --all-targets
	@"$${CARGO_TARGET_DIR:-target}/debug/local" provision
	@cargo test --locked --workspace --doc --quiet
	@cargo test --locked --workspace --all-targets

# BENCH=chunk,relay,snapshot,index,update,freshness,query,idle for some parts, BENCH_SCALE=0.1 for a quick try, INDEX_DATA=folder for real texts.
bench: tools ## the performance table, target/bench.json and a picture
	@cargo build --release --locked --workspace --bins
	@cargo run --release --locked --quiet --bin bench

# TRIED=all (or TRIED=chunks,link) compares choices on the half of the queries that is not reported.
eval: tools ## how well a folder's documents are found: make eval DATA=folder (articles.jsonl, queries.jsonl, …), DATA=crates for code, DATA=manuals, DATA=pages for cleaning, DATA=functions for what stays whole
	@cargo run --release --locked --quiet --bin eval

check: tools ## what CI runs: format, lints, tests
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory test

chaos: tools ## kill, pause and cut everything: SEED=1 (or 1..10, 1,2) MINUTES=4 FAULTS=all (or kill-producer,pause), or DRILL=all (or producer-kills) SCALE=1
	@cargo build --release --locked --workspace --bins
	@cargo run --release --locked --quiet --bin chaos

fuzz: tools ## throw anything at decode, clean and chunk, each for MINUTES=5 (TARGET=clean for one); findings are kept in target/fuzz
	@MINUTES="$(or $(MINUTES),5)" sh fuzz/run.sh $(or $(TARGET),decode clean chunk)

images-offline: tools ## stand-ins for the images that cannot be pulled, under their names; as root
	@cargo build --release --locked --bin local
	@$(BUILT) images-offline

test-containers: tools ## the stack in containers: built, started, killed, cut off, restarted, all data kept; SKIPPED where no engine answers or images are missing
	@cargo build --release --locked --bin local --bin containers
	@cargo run --release --locked --quiet --bin containers

fmt: tools ## format the code
	@cargo fmt --all

lint: tools ## the lints
	@cargo clippy --locked --workspace --all-targets -- -D warnings

# Without the programs of chaos and bench, which a stack does not need.
build: tools
	@cargo build --release --locked --bin local --bin producer --bin consumer --bin retrieval

started:
	@[ -x "$(STARTED)" ] || { echo "the stack is not running; run: make local-start" >&2; exit 1; }

tools:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust (https://rustup.rs), then try again" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "python3 is missing: install it (Debian: apt-get install python3), then try again" >&2; exit 1; }
