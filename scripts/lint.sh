#!/usr/bin/env bash
# lint.sh - what can be found without running anything. Ends with 1 if anything
# was. Staticcheck is fetched from the Go proxy, golangci-lint is run where it is
# installed; STATICCHECK and GOLANGCI_LINT name other programs.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
module=$("$GO" list -m)
failed=0

# complain TITLE: fails with what is on standard input, if there is anything.
complain() {
	local found
	found=$(cat)
	if [ -n "$found" ]; then
		printf '%s:\n%s\n' "$1" "$found" >&2
		failed=1
	fi
}

echo 'lint: gofmt, go vet, staticcheck, imports, dependencies'

find . -name '*.go' -not -path './.git/*' -print0 | xargs -0 gofmt -l |
	complain "Not formatted; run gofmt -w on"

"$GO" vet ./... || failed=1

${STATICCHECK:-"$GO" run honnef.co/go/tools/cmd/staticcheck@v0.8.2} ./... || failed=1

# The packages at the bottom of the house do not know each other, nor the service
# above them: see docs/architecture.md. 'conference', the tracker, access and
# identity are memory alone.
"$GO" list -f '{{range .Imports}}{{$.ImportPath}} {{.}}{{"\n"}}{{end}}' ./... | awk -v m="$module" '
	$1 == m "/internal/wire" || $1 == m "/internal/fault" || $1 == m "/internal/fsapi" { if (index($2, m "/") == 1) print; next }
	$1 == m "/esl" || $1 == m "/conference" || $1 == m "/state" || $1 == m "/fsconf" {
		if (index($2, m "/") == 1 && $2 != m "/internal/wire" && $2 != m "/internal/fault" && $2 != m "/internal/fsapi") print
	}
	$1 == m "/conference" || $1 == m "/internal/tracker" || $1 == m "/internal/access" || $1 == m "/internal/identity" {
		if ($2 == "net" || $2 ~ /^(net|os)\// || $2 == "os" || $2 ~ /redis/) print
	}' | complain "These packages must not import what stands behind them (docs/architecture.md)"

{ grep -rn --include='*.go' 'time\.Sleep(' . || true; } |
	complain "Wait for an event with a deadline instead of sleeping"

{ grep -rn --include='*.go' --exclude='*_test.go' -E 'fsapi\.Unchecked' . || true; } |
	complain "Only tests say to a switch what nobody has checked"

# Every module that is imported is accounted for, and none that is gone.
required=$(awk '$1 == "require" { $1 = ""; $0 = $0 } $1 ~ /^[a-z0-9.]+\// { print $1 }' go.mod | sort |
	while read -r dep; do if grep -rqF --include='*.go' "\"$dep" .; then echo "$dep"; fi; done)
documented=$(sed -n 's/^| `\([^`]*\)`.*/\1/p' docs/dependencies.md | sort)
diff <(echo "$required") <(echo "$documented") | sed -n 's/^< /missing: /p; s/^> /not imported: /p' |
	complain "docs/dependencies.md and the imports differ"

for script in scripts/*.sh .ci/run; do
	bash -n "$script" || failed=1
done

if command -v "${GOLANGCI_LINT:-golangci-lint}" >/dev/null; then
	"${GOLANGCI_LINT:-golangci-lint}" run ./... || failed=1
fi
exit $failed
