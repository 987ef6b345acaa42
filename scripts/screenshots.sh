#!/usr/bin/env bash
# screenshots.sh - make the pictures of docs/panel.md anew, from the panel as it
# is, with a simulated switch behind it. Needs Go and Debian's chromium.
#
# Usage: scripts/screenshots.sh [FOLDER]      FOLDER defaults to docs/img
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-docs/img}
mkdir -p "$out"
out=$(cd "$out" && pwd)

LIVEMON_BROWSER=required LIVEMON_SCREENSHOTS=$out "${GO:-go}" test -count 1 -run '^TestScreenshots$' ./internal/panel/browsertest
ls -l "$out"/*.png
