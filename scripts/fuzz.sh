#!/usr/bin/env bash
# fuzz.sh - every fuzz target of the project for FUZZTIME (10s), one after the
# other. What one finds is kept under its package's testdata/fuzz, as a seed.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
failed=0

while IFS=: read -r file target; do
	echo "== $(dirname "$file") $target"
	"$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$(dirname "$file")" || failed=1
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's/:func /:/' | sort)
exit $failed
