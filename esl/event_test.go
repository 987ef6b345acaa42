package esl_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"livemon/esl"
)

func TestParseEvent(t *testing.T) {
	for _, test := range []struct {
		name, plain string
		headers     []string
		want        map[string]string
		body        string
	}{
		{
			name:    "values are decoded",
			plain:   "Event-Name: CUSTOM\nEvent-Subclass: conference%3A%3Amaintenance\nCaller-Caller-ID-Name: J%C3%B6rg%20%22x%22\n\n",
			headers: []string{"Caller-Caller-ID-Name"},
			want:    map[string]string{"Event-Subclass": "conference::maintenance", "Caller-Caller-ID-Name": "J\u00f6rg \"x\""},
		},
		{
			name:    "bad escapes stay",
			plain:   "Event-Name: X\nA: 100%\nB: %4\nC: %zz%40\nD: %%40\n\n",
			headers: []string{"A", "B", "C", "D"},
			want:    map[string]string{"A": "100%", "B": "%4", "C": "%zz@", "D": "%@"},
		},
		{
			name:    "escapes that the switch does not write stay",
			plain:   "Event-Name: X\nA: a1%2Db2%41\nB: a1%2db2\nC: %5f%7e%7E%2e\nD: %c3%B6%3a\n\n",
			headers: []string{"A", "B", "C", "D"},
			want:    map[string]string{"A": "a1%2Db2%41", "B": "a1%2db2", "C": "%5f%7e%7E%2e", "D": "%c3\xb6%3a"},
		},
		{
			name:    "names of any characters",
			plain:   "Event-Name: X\nvariable_a/b: 1\nvariable_a[0]: 2\nvariable_x:y: 3\nvariable_\u00fc z: 4\n\n",
			headers: []string{"variable_a/b", "variable_a[0]", "variable_x:y", "variable_\u00fc z"},
			want:    map[string]string{"variable_a/b": "1", "variable_a[0]": "2", "variable_x:y": "3", "variable_\u00fc z": "4"},
		},
		{
			name:    "names without regard to case",
			plain:   "event-name: X\nunique-id: 7\n\n",
			headers: []string{"Unique-ID"},
			want:    map[string]string{"Event-Name": "X", "UNIQUE-ID": "7"},
		},
		{
			name:    "only what was asked for",
			plain:   "Event-Name: X\nAnswer-State: early\nJob-UUID: j\n\n",
			headers: []string{"Absent"},
			want:    map[string]string{"Answer-State": "", "Absent": "", "Job-UUID": "j", "": ""},
		},
		{
			name:    "the first of two, the empty, carriage returns, no colon",
			plain:   "Event-Name: X\r\nA: one\r\nA: two\r\nnothing\r\nB: _undef_\r\nC:tight\r\nD:\r\n\r\n",
			headers: []string{"A", "B", "C", "D"},
			want:    map[string]string{"A": "one", "B": "", "C": "tight", "D": ""},
		},
		{
			name:  "a body as it stands",
			plain: "Event-Name: BACKGROUND_JOB\nJob-UUID: 1\nContent-Length: 12\n\n-ERR 50%41\n\nand more",
			want:  map[string]string{"Job-UUID": "1"},
			body:  "-ERR 50%41\n\n",
		},
		{
			name:  "no blank line at the end",
			plain: "Event-Name: X",
			want:  map[string]string{"Event-Name": "X"},
		},
		{
			name:    "names longer than most",
			plain:   "Event-Name: X\nvariable_" + strings.Repeat("n", 100) + ": 1\nvariable_" + strings.Repeat("m", 200) + ": 2\n\n",
			headers: []string{"variable_" + strings.Repeat("m", 200)},
			want:    map[string]string{"variable_" + strings.Repeat("m", 200): "2", "variable_" + strings.Repeat("n", 100): ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := esl.ParseEvent([]byte(test.plain), test.headers)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				if got := e.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if e.Body != test.body {
				t.Errorf("body %q, want %q", e.Body, test.body)
			}
		})
	}
	for name, plain := range map[string]string{
		"nothing":          "",
		"no name":          "Unique-ID: 1\n\n",
		"empty name":       "Event-Name: _undef_\n\n",
		"body cut off":     "Event-Name: X\nContent-Length: 10\n\nshort",
		"body that is not": "Event-Name: X\nContent-Length: 10\n",
	} {
		if _, err := esl.ParseEvent([]byte(plain), nil); !errors.Is(err, esl.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewEvent(t *testing.T) {
	e := esl.NewEvent(map[string]string{
		"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Agent": "a%20b",
		"Event-Date-Timestamp": "1795357203657776",
	}, "body")
	if e.Name != "CUSTOM" || e.Subclass != "callcenter::info" || e.Body != "body" {
		t.Errorf("got %+v", e)
	}
	if want := time.UnixMicro(1795357203657776); !e.Time.Equal(want) {
		t.Errorf("at %v, want %v", e.Time, want)
	}
	if got := e.Get("cc-agent"); got != "a%20b" {
		t.Errorf("CC-Agent is %q: it was given, not received", got)
	}
	if got := new(esl.Event).Get("X"); got != "" {
		t.Errorf("the zero event has %q", got)
	}
}

// plainEvents are the bodies of the event messages in a transcript of a real
// switch.
func plainEvents(t testing.TB) [][]byte {
	t.Helper()
	var events [][]byte
	for rest := readFile(t, "events.txt"); len(rest) > 0; {
		head, after, ok := bytes.Cut(rest, []byte("\n\n"))
		if !ok {
			t.Fatalf("the transcript ends with %q", rest)
		}
		length := 0
		for _, c := range bytes.TrimPrefix(bytes.SplitN(head, []byte("\n"), 2)[0], []byte("Content-Length: ")) {
			length = 10*length + int(c-'0')
		}
		events = append(events, after[:length])
		rest = after[length:]
	}
	return events
}

func TestParseEventsOfARealSwitch(t *testing.T) {
	var got []string
	for _, plain := range plainEvents(t) {
		e, err := esl.ParseEvent(plain, []string{"Action", "CC-Action", "Unique-ID"})
		if err != nil {
			t.Fatal(err)
		}
		if e.Time.Year() != 2026 {
			t.Errorf("%s at %v", e.Name, e.Time)
		}
		got = append(got, strings.Trim(e.Name+" "+e.Subclass+" "+e.Get("Action")+e.Get("CC-Action"), " "))
	}
	want := []string{
		"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_EXECUTE_COMPLETE",
		"CUSTOM conference::maintenance conference-create",
		"CUSTOM conference::maintenance add-member",
		"CUSTOM conference::maintenance floor-change",
		"CUSTOM conference::maintenance start-talking",
		"CUSTOM conference::maintenance lock",
		"DTMF",
		"CUSTOM conference::maintenance dtmf",
		"CUSTOM conference::maintenance unmute-member",
		"CUSTOM conference::maintenance mute-member",
		"CUSTOM conference::maintenance deaf-member",
		"CUSTOM conference::maintenance undeaf-member",
		"CUSTOM conference::maintenance hold-member",
		"CUSTOM conference::maintenance unhold-member",
		"CUSTOM conference::maintenance kick-member",
		"CUSTOM conference::maintenance del-member",
		"CHANNEL_HANGUP_COMPLETE",
		"CUSTOM conference::maintenance unlock",
		"CUSTOM conference::maintenance conference-destroy",
		"BACKGROUND_JOB",
		"CUSTOM callcenter::info agent-add",
		"CUSTOM callcenter::info agent-contact-change",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, plain := range plainEvents(f) {
		f.Add(plain)
	}
	f.Add([]byte("Event-Name: X\nA: %4\nContent-Length: 3\n\nabc"))
	f.Add([]byte("Event-Name: X\r\nA:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		before := bytes.Clone(plain)
		e, err := esl.ParseEvent(plain, []string{"A", "Unique-ID", "Content-Length"})
		if !bytes.Equal(before, plain) {
			t.Fatal("the input was changed")
		}
		switch {
		case err != nil && !errors.Is(err, esl.ErrProtocol):
			t.Fatal(err)
		case err == nil && (e.Name == "" || e.Name != e.Get("Event-Name")):
			t.Fatalf("name %q, header %q", e.Name, e.Get("Event-Name"))
		case err == nil && len(e.Body)+len(e.Get("A")) > len(plain):
			t.Fatal("more came out than went in")
		}
	})
}
