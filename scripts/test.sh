#!/usr/bin/env bash
# test.sh - the whole test suite, with the race detector where there is a C
# compiler for it. Prints a line for each package, everything about what failed,
# and the count. Arguments are given to 'go test'; TIMEOUT bounds each package: a
# machine with other work takes several times as long.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

race=-race
if [ "$("$GO" env CGO_ENABLED)" != 1 ]; then
	race=
	echo 'test: there is no C compiler (apt-get install gcc libc6-dev): the race detector is off' >&2
fi
if ! command -v redis-server >/dev/null; then
	echo 'test: redis-server is not installed (apt-get install redis-server): nothing is tested against a real one' >&2
fi
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
	echo 'test: chromium is not installed (apt-get install --no-install-recommends chromium): the panel is not tested in a browser' >&2
fi

# Sound in real time, a browser, the whole service in processes of its own: these
# come last, when the others are done, and one after the other, so that none takes
# the processor from another.
alone='/(cmd/livemon|internal/(panel/browsertest|selftest|sipphone))$'
packages=$("$GO" list ./...)

# Most of what the tests do is wait: so more of them at once than there are processors.
suite() {
	local status=0 options=($race -v -parallel "${PARALLEL:-6}" -timeout "${TIMEOUT:-30m}" "$@")
	# shellcheck disable=SC2046 # one word for each package
	"$GO" test "${options[@]}" $(grep -vE "$alone" <<<"$packages") || status=1
	# shellcheck disable=SC2046
	"$GO" test -p 1 "${options[@]}" $(grep -E "$alone" <<<"$packages") || status=1
	return $status
}

suite "$@" 2>&1 | awk '
	function show(  i) { for (i = 0; i < n; i++) if (held[i] !~ /^ *(=== (RUN|PAUSE|CONT)|--- PASS)/) print held[i]; n = 0 }
	/^ *--- PASS: / { passed++ }
	/^ *--- FAIL: / { failed++ }
	/^ *--- SKIP: / { skipped++; names = names " " $3 }
	/^ok  \t/ { print; fflush(); n = 0; inside = 0; next }
	/^\?   \t/ || /^\t.*coverage: / { next }
	/^FAIL\t/ { show(); print; fflush(); broken++; inside = 0; next }
	/^=== RUN/ { inside = 1 }
	inside { held[n++] = $0; next }
	{ print }
	END {
		show()
		if (names != "") print "skipped:" names
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit (failed || broken || !passed)
	}'
