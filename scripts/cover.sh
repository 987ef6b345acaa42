#!/usr/bin/env bash
# cover.sh - the share of each package's statements that the whole suite runs, and
# coverage.txt for 'go tool cover -html=coverage.txt'.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" test -timeout "${TIMEOUT:-30m}" -coverpkg=./... -coverprofile=coverage.txt ./... >/dev/null
tail -n +2 coverage.txt | awk -F'[: ]' '
	{ at = $1 ":" $2; n[at] = $3; if ($4 > 0) hit[at] = 1 }
	END {
		for (at in n) {
			p = at
			sub(/\/[^\/]*$/, "", p)
			all[p] += n[at]; total += n[at]
			if (at in hit) { run[p] += n[at]; ran += n[at] }
		}
		for (p in all) printf "%5.1f %%  %s\n", 100 * run[p] / all[p], p | "sort -k3"
		close("sort -k3")
		printf "%5.1f %%  total\n", 100 * ran / total
	}'
