package panel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"livemon/internal/wire"
)

func on(id string, role wire.Role) wire.Session {
	return wire.Session{ID: id, Account: id, Supervisor: id, Agent: "eve", Node: "pbx", Call: "c", User: "555", Status: wire.Listening, Role: role}
}

// plain takes away what isolates names.
func plain(s string) string { return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s) }

func TestWhoHearsWhomInWords(t *testing.T) {
	for _, tc := range []struct {
		name  string
		s     wire.Session
		also  []wire.Session
		words string
		note  string
	}{
		{"monitor", on("me", wire.Monitor), nil, "eve hears the customer. The customer hears eve. You hear eve and the customer.", ""},
		{"coach", on("me", wire.Coach), nil, "eve hears the customer and you. The customer hears eve. You hear eve and the customer.", ""},
		{"barge", on("me", wire.Barge), nil, "eve hears the customer and you. The customer hears eve and you. You hear eve and the customer.", ""},
		{"taken over", on("me", wire.TakeOver), nil, "The customer hears you. You hear the customer.", ""},
		{"two", on("me", wire.Monitor), []wire.Session{on("kim", wire.Barge)},
			"eve hears the customer and kim. The customer hears eve and kim. You hear eve, the customer and kim. kim hears eve and the customer.", ""},
		{"another coaches", on("me", wire.Monitor), []wire.Session{on("kim", wire.Coach)},
			"eve hears the customer and kim. The customer hears eve. You hear eve and the customer. kim hears eve and the customer.", ""},
		{"another has taken over", on("me", wire.Monitor), []wire.Session{on("kim", wire.TakeOver)}, "The customer hears kim. You hear the customer and kim. kim hears the customer.", ""},
	} {
		h := whoHears(tc.s, append(slices.Clone(tc.also), tc.s), "me")
		if got := plain(h.Words()); got != tc.words || h.Note != tc.note {
			t.Errorf("%s: %q (%q)", tc.name, got, h.Note)
		}
	}
}

func TestWhoHearsWhomBeforeAndAfter(t *testing.T) {
	for status, note := range map[wire.Status]string{wire.Requested: "has not been answered", wire.Ringing: "has not been answered", wire.Answered: "nobody listens yet", wire.Waiting: "no call to listen to", wire.Ended: "has ended"} {
		s := on("me", wire.Joining)
		s.Status = status
		h := whoHears(s, []wire.Session{s}, "me")
		if !strings.Contains(h.Note, note) {
			t.Errorf("%s: %q", status, h.Note)
		}
		if strings.Contains(plain(h.Words()), "You hear eve") {
			t.Errorf("%s: %q", status, h.Words())
		}
	}
	other := on("kim", wire.Barge)
	other.Call = "another"
	away := on("lee", wire.Barge)
	away.Node = "pbx2"
	if got := plain(whoHears(on("me", wire.Monitor), []wire.Session{on("me", wire.Monitor), other, away}, "me").Words()); strings.Contains(got, "kim") || strings.Contains(got, "lee") {
		t.Errorf("sessions of other calls: %q", got)
	}
	held := on("me", wire.Monitor)
	held.Hold = wire.HeldByAgent
	h := whoHears(held, []wire.Session{held}, "me")
	if got := plain(h.Words()); h.Note == "" || got != "eve hears nobody. The customer hears nobody. You hear eve and the customer." {
		t.Errorf("%q %q", h.Note, got)
	}
}

// TestTheDrawingShowsWhatTheWordsSay counts arrowheads: one for each who hears another.
func TestTheDrawingShowsWhatTheWordsSay(t *testing.T) {
	for n := range 7 {
		for _, role := range []wire.Role{wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
			all := []wire.Session{on("me", role)}
			for i := range n {
				all = append(all, on(fmt.Sprintf("s%d", i), wire.Monitor))
			}
			h := whoHears(all[0], all, "me")
			heads, heard := 0, 0
			for _, e := range h.Edges {
				heads += len(e.Heads)
				if strings.Contains(e.Path, "NaN") || strings.Contains(e.Path, "Inf") {
					t.Errorf("%q", e.Path)
				}
			}
			for _, l := range h.Lines {
				for _, q := range l.Whom {
					if l.Who.drawn && q.drawn {
						heard++
					}
				}
			}
			if heads != heard || h.Hidden != max(n+1-maxDrawn, 0) {
				t.Errorf("%d others, %s: %d heads, %d heard, %d hidden", n, role, heads, heard, h.Hidden)
			}
			for i, a := range h.Parties {
				if a.drawn && (a.Left() < 0 || a.X+boxWidth/2 > h.Width) {
					t.Errorf("%s: outside", a.Text())
				}
				for _, b := range h.Parties[i+1:] {
					if a.drawn && b.drawn && a.Y == b.Y && max(a.X-b.X, b.X-a.X) < boxWidth {
						t.Errorf("%s and %s overlap", a.Text(), b.Text())
					}
				}
			}
		}
	}
}
