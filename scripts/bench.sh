#!/usr/bin/env bash
# bench.sh - all benchmarks, and for those that compare two ways of doing the same
# the ratio between them. BENCH selects by regular expression, BENCHTIME is the
# time of each (1s).
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

packages=$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)
# shellcheck disable=SC2086 # one argument a package
"$GO" test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -timeout 30m -p 1 $packages 2>&1 | awk '
	{ print }
	/^Benchmark.*ns\/op/ {
		sub(/-[0-9]+$/, "", $1)
		if (split($1, part, "/") < 2) next
		group = $1
		sub(/\/[^\/]*$/, "", group)
		leaf = part[length(part)]
		for (i = 2; i < NF; i++) if ($(i + 1) == "ns/op") time = $i
		if (!(group in first)) { first[group] = time; of[group] = leaf; next }
		ratio[++n] = sprintf("%-40s %s takes %.2f times as long as %s", group, leaf, time / first[group], of[group])
	}
	/^(FAIL|panic)/ { bad = 1 }
	END {
		if (n) print "\nRatios"
		for (i = 1; i <= n; i++) print ratio[i]
		exit bad
	}'
