#!/usr/bin/env bash
# bench.sh - all benchmarks, and the ratio for those that compare two ways of doing
# the same. BENCH selects by regular expression, BENCHTIME is the time of each (1s).
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

packages=$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)
# shellcheck disable=SC2086 # one argument a package
"$GO" test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -timeout 30m -p 1 $packages 2>&1 | awk '
	{ print }
	/^Benchmark.*ns\/op/ {
		name = $1
		sub(/-[0-9]+$/, "", name)
		if (split(name, part, "/") < 2) next
		group = name
		sub(/\/[^\/]*$/, "", group)
		for (i = 2; i < NF; i++) if ($(i + 1) == "ns/op") time[group, ++ways[group]] = $i
		leaf[group, ways[group]] = part[length(part)]
		if (ways[group] == 2) pairs[++n] = group
	}
	/^(FAIL|panic)/ { bad = 1 }
	END {
		for (i = 1; i <= n; i++) {
			g = pairs[i]
			if (ways[g] != 2) continue
			if (!printed++) print "\nRatios"
			slow = time[g, 1] > time[g, 2] ? 1 : 2
			printf "%-24s %s takes %.2f times as long as %s\n", g, leaf[g, slow], time[g, slow] / time[g, 3 - slow], leaf[g, 3 - slow]
		}
		exit bad
	}'
