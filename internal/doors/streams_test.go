package doors_test

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"livemon/internal/wire"
)

// stream is a stream of events that somebody reads.
type stream struct {
	h    *house
	what string
	got  chan string // lines
}

// open opens one, and reads until it ends.
func (h *house) open(what string, k key, query string) *stream {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", h.web.URL+"/v1/events"+query, nil)
	h.must(err)
	for i := 0; i+1 < len(k); i += 2 {
		req.Header.Add(k[i], k[i+1])
	}
	res, err := h.web.Client().Do(req)
	h.must(err)
	if res.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %d", what, res.StatusCode)
	}
	s := &stream{h: h, what: what, got: make(chan string, 10000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.got)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<22)
		for lines.Scan() {
			s.got <- lines.Text()
		}
	}()
	h.t.Cleanup(func() { cancel(); <-done; res.Body.Close() })
	return s
}

// until reads until a line is so, and returns all before it; false at the end of the stream.
func (s *stream) until(what string, ok func(line string) bool) (before []string, found bool) {
	s.h.t.Helper()
	ctx, cancel := context.WithTimeout(s.h.t.Context(), patience)
	defer cancel()
	for {
		select {
		case line, more := <-s.got:
			if !more {
				return before, false
			}
			if ok(line) {
				return before, true
			}
			before = append(before, line)
		case <-ctx.Done():
			s.h.t.Fatalf("%s: %s: never; so far %.500q", s.what, what, before)
		}
	}
}

// TestStreamsEnd takes rights and keys away from people who read streams of
// events that they have opened before: what follows shows no more, or nothing does.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	ctx := func(t *testing.T) context.Context { return wire.WithActor(t.Context(), operator) }
	form := "application/x-www-form-urlencoded"
	for name, take := range map[string]func(t *testing.T, h *house, token, login string) (ends bool){
		"the token is removed": func(t *testing.T, h *house, _, _ string) bool {
			list, err := h.people.Tokens(ctx(t), "sue")
			h.must(err)
			h.must(h.people.RemoveToken(ctx(t), "sue", list[0].ID))
			return true
		},
		"logging out": func(t *testing.T, h *house, _, login string) bool {
			if a := h.send(key{"Cookie", "livemon=" + login}, "POST", "/logout", form, "csrf="+csrf(login)); a.status != http.StatusSeeOther {
				t.Error(a.whole())
			}
			return true
		},
		"the account is disabled": func(_ *testing.T, h *house, _, _ string) bool {
			h.edit("sue", wire.AccountChange{Disabled: ptr(true)})
			return true
		},
		"the account is removed": func(t *testing.T, h *house, _, _ string) bool {
			h.must(h.people.RemoveAccount(ctx(t), "sue"))
			return true
		},
		"the account is another by the same name": func(t *testing.T, h *house, _, _ string) bool {
			h.must(h.people.RemoveAccount(ctx(t), "sue"))
			h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"*"}) })
			return true
		},
		"the team loses the agent": func(t *testing.T, h *house, _, _ string) bool {
			_, err := h.people.EditTeam(ctx(t), "support", wire.TeamChange{Agents: &[]string{"1004"}})
			h.must(err)
			return false
		},
		"the agent becomes a peer": func(_ *testing.T, h *house, _, _ string) bool {
			h.edit("boss", wire.AccountChange{Extension: ptr("1001")})
			return false
		},
		"numbers are taken away": func(_ *testing.T, h *house, _, _ string) bool {
			h.edit("sue", wire.AccountChange{Numbers: ptr(false)})
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			_, err := h.people.AddTeam(ctx(t), wire.Team{Name: "support", Agents: []string{"1001", "1004"}})
			h.must(err)
			h.account("boss", func(c *wire.AccountChange) {
				c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(90)
			})
			h.account("sue", func(c *wire.AccountChange) {
				c.Rights, c.Teams = ptr([]wire.Action{wire.ActionListen}), ptr([]string{"support"})
			})
			h.call("5550100", "1001")
			x := h.listens("boss", "1001", "1006")
			token, login := h.token("sue"), h.login("sue")
			keys := map[string]key{"token": bearer(token), "login": cookie(login)}
			switch name {
			case "the token is removed":
				delete(keys, "login")
			case "logging out":
				delete(keys, "token")
			}
			var streams []*stream
			for door, k := range keys {
				for _, query := range []string{"", "?changes=1", "?only=agents", "?only=agents&changes=1", "?only=sessions"} {
					s := h.open(door+query, k, query)
					s.until("the agent is seen", func(line string) bool { return strings.HasPrefix(line, "data: ") && strings.Contains(line, "5550100") })
					streams = append(streams, s)
				}
			}
			ends := take(t, h, token, login)
			if ends {
				for _, s := range streams {
					before, more := s.until("the end", func(string) bool { return false })
					if more || strings.Contains(strings.Join(before, " "), "5550101") {
						t.Errorf("%s goes on: %q", s.what, before)
					}
				}
			}
			// What comes later about whom she saw is not hers to see.
			h.must(h.sim.Hangup(h.sim.Leg("5550100"), ""))
			h.await(x.ID, ended)
			if ends {
				return
			}
			h.until("the agent is idle", func() bool { return h.sim.Leg("1001") == "" })
			h.call("5550101", "1001")
			h.call("5550102", "1004")
			h.listens("boss", "1004", "1006")
			for _, s := range streams {
				before, more := s.until("what she may still see", func(line string) bool {
					return strings.HasPrefix(line, "data: ") && strings.Contains(line, "1004@") && strings.Contains(line, "boss")
				})
				if !more {
					t.Errorf("%s has ended", s.what)
				}
				if i := slices.IndexFunc(before, func(l string) bool { return strings.Contains(l, "5550101") }); i >= 0 {
					t.Errorf("%s shows %s", s.what, before[i])
				}
			}
		})
	}
}
