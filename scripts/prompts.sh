#!/bin/sh
# prompts.sh - make the prompts which fsconf embeds: fsconf/prompts/*.wav
#
# What a supervisor hears when something goes wrong: "error", then the digits of
# the code; short tones which tell what his telephone key has done; the names of
# the roles; and what he is asked when he dials in. All are 8 kHz, 16 bit, mono: any FreeSWITCH plays them without a codec or a sound pack.
#
# Needs espeak-ng and sox (Debian: apt-get install espeak-ng sox). The files in
# the repository were made with espeak-ng 1.51 and sox 14.4.2; the same versions
# make the same bytes.
#
# Usage: scripts/prompts.sh [FOLDER]      FOLDER defaults to fsconf/prompts
set -eu

for tool in espeak-ng sox; do
	command -v "$tool" >/dev/null || {
		echo "prompts.sh: $tool is missing: apt-get install espeak-ng sox" >&2
		exit 1
	}
done

out=${1:-$(dirname "$0")/../fsconf/prompts}
mkdir -p "$out"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM

# speak NAME TEXT: silence cut off at both ends, one level for all, a short pause
# after it so that a row of digits stays a row of words.
speak() {
	espeak-ng -v en-us -s 150 -p 45 -w "$tmp/raw.wav" "$2"
	sox -R -D "$tmp/raw.wav" -r 8000 -b 16 -c 1 -e signed-integer "$out/$1.wav" \
		silence 1 0.01 0.5% fade t 0.005 reverse silence 1 0.01 0.5% fade t 0.005 reverse \
		norm -6 pad 0 0.09
}

# tone NAME LENGTH:HZ...: one beep after the other (0 Hz is a pause).
tone() {
	name=$1
	shift
	i=10
	for beep; do
		length=${beep%:*} hz=${beep#*:} i=$((i + 1))
		if [ "$hz" = 0 ]; then
			sox -R -D -n -r 8000 -b 16 -c 1 -e signed-integer "$tmp/$i.wav" trim 0 "$length"
		else
			sox -R -D -n -r 8000 -b 16 -c 1 -e signed-integer "$tmp/$i.wav" \
				synth "$length" sine "$hz" vol 0.25 fade t 0.008 "$length" 0.008
		fi
	done
	sox -R -D "$tmp"/[0-9][0-9].wav -b 16 -e signed-integer "$out/$name.wav"
	rm -f "$tmp"/[0-9][0-9].wav
}

speak 0 zero
speak 1 one
speak 2 two
speak 3 three
speak 4 four
speak 5 five
speak 6 six
speak 7 seven
speak 8 eight
speak 9 nine
speak error error

speak say-monitor monitoring
speak say-coach coaching
speak say-barge "barging in"
speak say-takeover "taken over"
speak say-waiting "waiting for the next call"
speak follow-on "staying with the agent"
speak follow-off "this call only"

speak pin "please enter your pin, then hash"
speak pin-wrong "wrong pin"
speak extension "please enter your extension, then hash"
speak locked "locked, please try again later"
speak wait "press star to wait for the next call"

tone confirm 0.14:523 0.04:0 0.22:784
tone refused 0.16:330 0.06:0 0.24:262
tone monitor 0.10:660
tone coach 0.10:660 0.05:0 0.10:880
tone barge 0.08:660 0.04:0 0.08:880 0.04:0 0.08:1100
tone takeover 0.12:880 0.05:0 0.12:660 0.05:0 0.16:1100
