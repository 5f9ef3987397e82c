#!/bin/sh
# Fuzzes the targets named, one after another. Ends with 1 at the first finding, which is kept beside the log of its run.
# What was learned of a target (its corpus) is kept too, and the next run goes on from there.
set -eu
cd "$(dirname "$0")/.."
kept=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc --print host-tuple)
seconds=$((${MINUTES:-5} * 60))
mkdir -p "$kept"
for target in "$@"; do
	[ -f "fuzz/$target.rs" ] || { echo "no target $target: decode, clean or chunk" >&2; exit 2; }
done

# Coverage without a sanitizer, which is all that a stable compiler has; `--target` keeps the flags out of build scripts.
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares'
RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 $(echo $coverage)" \
	cargo build --manifest-path fuzz/Cargo.toml --target-dir "$kept/build" --target "$host" --bins

for target in "$@"; do
	corpus=$kept/corpus/$target
	log=$kept/$target.log
	mkdir -p "$corpus"
	# A text of 64 KiB takes milliseconds: what takes ten seconds is no accident, nor what takes 2 GB.
	"$kept/build/$host/debug/$target" "$corpus" "fuzz/seeds/$target" -dict="fuzz/dictionaries/$target" \
		-max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$kept/$target-" 2>"$log" &
	run=$!
	trap 'kill "$run" 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
	while kill -0 "$run" 2>/dev/null; do
		sleep 5
		printf '%s  %-7s %s\n' "$(date +%T)" "$target" "$(grep '^#[0-9]' "$log" | tail -n 1 | tr -s '\t ' ' ')"
	done
	if wait "$run"; then
		printf '%s  %-7s no finding in %s s: %s\n' "$(date +%T)" "$target" "$seconds" "$(grep number_of_executed_units "$log" | tr -dc 0-9) inputs"
	else
		grep -v -E '^(#|NEW_FUNC)' "$log" | tail -n 40 >&2
		echo "$target: a finding, see the files $kept/$target-* and $log" >&2
		exit 1
	fi
	trap - EXIT
done
