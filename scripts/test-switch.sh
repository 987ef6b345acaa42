#!/usr/bin/env bash
# test-switch.sh - what livemon relies on, asked of a real FreeSWITCH and of the
# simulated one: see docs/conformance.md. It makes calls of its own to telephones
# in this process; nobody else's are touched.
#   FS           the event socket, host:port (127.0.0.1:8021)
#   FS_PASSWORD  its password (ClueCon)
#   FS_PROFILE   the SIP profile that calls the telephones (internal)
#   FS_INBOUND   a number that is answered and parked, for calls that come in (none)
#   PHONES       the telephones' IPv4 address (that of the connection to FS); the
#                switch must reach its UDP ports: SIP any, RTP 14000 to 15999
#   RUN          which facts, as a regular expression (all)
#   REPORT       a file for the report, in Markdown
set -euo pipefail
cd "$(dirname "$0")/.."
export LIVEMON_FS=${FS:-127.0.0.1:8021}
if [ -n "${REPORT:-}" ]; then
	LIVEMON_REPORT=$(realpath -m "$REPORT")
	export LIVEMON_REPORT
fi
"${GO:-go}" test -count=1 -v -timeout 30m -run "^(TestSimulated|TestSwitch)\$/${RUN:-.}" ./internal/conformance |
	awk '!/^=== (RUN|PAUSE|CONT|NAME)/ { print; fflush() }'
