package doors_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/wire"
	"livemon/state"
)

const (
	keyAccounts = "livemon:{rights}:accounts"
	keyRevision = "livemon:{rights}:revision"
	keyLogins   = "livemon:{rights}:logins"
	keyAudit    = "livemon:{audit}:stream"
	keyAgents   = "livemon:{n:sim}:agents"
	keySession  = "livemon:{n:sim}:s:"
)

// forge changes what is stored of a session.
func (h *house) forge(id string, change func(map[string]any)) {
	h.t.Helper()
	var v map[string]any
	h.must(json.Unmarshal([]byte(h.redis.HGet(keySession+id, "v")), &v))
	change(v)
	data, err := json.Marshal(v)
	h.must(err)
	h.redis.HSet(keySession+id, "v", string(data))
}

// forgeries are what is written over the record of a session of somebody who may
// listen, and no more.
var forgeries = map[string]func(h *house, id string, v map[string]any){
	"desired": func(h *house, id string, _ map[string]any) { h.redis.HSet(keySession+id, "desired", "barge") },
	"take-over": func(h *house, id string, v map[string]any) {
		h.redis.HSet(keySession+id, "desired", "takeover")
		v["role"] = "takeover"
	},
	"role": func(h *house, id string, v map[string]any) {
		v["role"], v["desired"], v["coaching"] = "barge", "barge", true
		h.redis.HSet(keySession+id, "desired", "barge")
	},
	"the customer's channel": func(h *house, _ string, v map[string]any) { v["channel"] = h.sim.Leg("5550100") },
	"the agent's channel, in barge": func(h *house, id string, v map[string]any) {
		v["channel"], v["role"] = h.sim.Leg("1001"), "barge"
		h.redis.HSet(keySession+id, "desired", "barge")
	},
	"the machine's": func(h *house, id string, v map[string]any) { v["account"], v["coaching"] = "", true },
	"another's": func(h *house, id string, v map[string]any) {
		v["account"], v["supervisor"], v["coaching"] = "boss", "boss", true
	},
	"another's, and desired": func(h *house, id string, v map[string]any) {
		v["account"], v["supervisor"], v["coaching"], v["role"], v["desired"] = "boss", "boss", true, "barge", "barge"
		h.redis.HSet(keySession+id, "desired", "barge")
	},
}

// TestForgedSessions writes sessions into Redis that are somebody's whom they are
// not, or in a role that nobody granted, and has the next controller read them.
func TestForgedSessions(t *testing.T) {
	t.Parallel()
	for what, change := range forgeries {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			h.account("boss", func(c *wire.AccountChange) {
				c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(90)
			})
			h.account("sue", func(c *wire.AccountChange) {
				c.Rights, c.Agents = ptr([]wire.Action{wire.ActionListen}), ptr([]string{"1001"})
			})
			c := h.call("5550100", "1001")
			x, err := h.svc.StartSession(h.as("sue"), wire.MonitorRequest{Agent: "1001", Phone: "1002"})
			h.must(err)
			h.until("she listens", func() bool { return slices.Equal(h.hears(h.sim.Leg("1002")), []string{"1001", "5550100"}) })
			leg := h.sim.Leg("1002")
			h.rest()
			h.stop()
			h.forge(x.ID, func(v map[string]any) { change(h, x.ID, v) })
			heard := make(chan string, 1)
			remove := h.sim.OnFrame(hearing(leg, heard, c.A, c.B))
			defer remove()
			h.start()
			h.rest()
			for _, keys := range []string{"6#", "4#", "1#"} {
				if h.sim.Leg("1002") == leg {
					h.must(h.sim.Press(leg, keys))
				}
				h.frames(15)
				h.rest()
			}
			select {
			case who := <-heard:
				t.Errorf("%s hears her", h.sim.Number(who))
			default:
			}
		})
	}
}

// TestForgedRights writes accounts, logins and counters into Redis.
func TestForgedRights(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("ada", func(c *wire.AccountChange) {
		c.Admin, c.Rights, c.Agents = ptr(true), ptr(wire.Actions()), ptr([]string{"*"})
	})
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents = ptr([]wire.Action{wire.ActionListen}), ptr([]string{"1001"})
	})
	h.call("5550100", "1001")
	ada, sueLogin := h.login("ada"), h.login("sue")
	if a := h.ask(cookie(sueLogin), "GET", "/v1/me", nil); a.status != http.StatusOK {
		t.Fatal(a.whole())
	}

	// A login of hers that names another account, and one made up.
	fields, err := h.redis.HKeys(keyLogins)
	h.must(err)
	for _, f := range fields {
		value := h.redis.HGet(keyLogins, f)
		if strings.HasPrefix(value, "sue ") {
			h.redis.HSet(keyLogins, f, "ada "+strings.TrimPrefix(value, "sue "))
		}
	}
	h.must(h.people.RemoveToken(wire.WithActor(t.Context(), operator), "sue", mustToken(h, "sue"))) // what was known is forgotten
	if a := h.ask(cookie(sueLogin), "GET", "/v1/me", nil); a.status != http.StatusUnauthorized {
		t.Errorf("her login in another's name: %s", a.whole())
	}
	if a := h.ask(cookie(ada), "GET", "/v1/me", nil); a.status != http.StatusOK {
		t.Errorf("the other's own: %s", a.whole())
	}

	// A counter that was removed makes attempts possible again, and nothing else.
	for range 8 {
		_, _, err = h.people.Login(t.Context(), "ada", "wrong", "192.0.2.66")
	}
	if err == nil {
		t.Error("a wrong password opens")
	}
	for _, k := range h.redis.Keys() {
		if strings.Contains(k, "{attempts}") {
			h.redis.Del(k)
		}
	}
	if _, _, err = h.people.Login(t.Context(), "ada", "wrong", "192.0.2.66"); err == nil {
		t.Error("a wrong password opens without its counter")
	}

	// An account that is not understood: nobody is allowed anything new, rather
	// than everybody everything.
	good := h.redis.HGet(keyAccounts, "sue")
	for what, value := range map[string]string{
		"no account": "x", "JSON alone": `{"admin":true}`, "another shape": "v b [1,2]", "unknown rights": strings.Replace(good, `"listen"`, `"everything"`, 1),
		"a rank beyond": strings.Replace(good, `"rank":10`, `"rank":100000`, 1), "huge": strings.Replace(good, `{`, `{"fullName":"`+strings.Repeat("a", 1<<20)+`",`, 1), "NUL": "\x00" + good,
	} {
		if value == good {
			t.Fatalf("%s is the same: %s", what, good)
		}
		h.redis.HSet(keyAccounts, "sue", value)
		h.redis.Set(keyRevision, "forged "+what)
		err := error(nil)
		h.until(what+" is noticed", func() bool {
			err = h.people.Allowed(t.Context(), wire.Actor{Account: "sue"}, wire.ActionListen, wire.Agent{Agent: "1001"}, access.Call{})
			return err != nil
		})
		h.quiet(what, func() {
			for _, as := range []string{"sue", "ada", "", "eve"} {
				_, err := h.svc.StartSession(h.as(as), wire.MonitorRequest{Agent: "1001", Phone: "1002", Coaching: true})
				if code := fault.Of(err); err == nil || code != fault.NotAllowed && code != fault.StoreUnavailable && code != 0 {
					t.Errorf("%s, %q: %v", what, as, err)
				}
			}
		})
		h.redis.HSet(keyAccounts, "sue", good)
		h.redis.Set(keyRevision, "mended "+what)
		h.until("it is mended", func() bool {
			return h.people.Allowed(t.Context(), wire.Actor{Account: "sue"}, wire.ActionListen, wire.Agent{Agent: "1001"}, access.Call{}) == nil
		})
	}
}

func mustToken(h *house, account string) string {
	tok, err := h.people.AddToken(wire.WithActor(h.t.Context(), operator), account, "", nil)
	h.must(err)
	return tok.Token.ID
}

// TestForgedAudit changes, removes, moves and adds records behind livemon's back:
// verifying an export finds each.
func TestForgedAudit(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", nil)
	for range 6 {
		h.login("sue")
	}
	verify := func(heads ...state.Head) wire.AuditReport {
		var out bytes.Buffer
		h.must(h.store.ExportAudit(t.Context(), wire.AuditFilter{}, &out))
		rep, err := state.NewVerifier(heads...).Verify(&out)
		h.must(err)
		return rep
	}
	head, err := h.store.AuditHead(t.Context())
	h.must(err)
	noted, err := state.ParseHead(head.Head)
	h.must(err)
	if rep := verify(noted); !rep.OK || rep.Records < 7 {
		t.Fatalf("%+v", rep)
	}
	entries, err := h.redis.Stream(keyAudit)
	h.must(err)
	snapshot := slices.Clone(entries)
	rebuild := func(list []streamEntry) {
		h.redis.Del(keyAudit)
		for _, e := range list {
			_, err := h.redis.XAdd(keyAudit, e.id, e.values)
			h.must(err)
		}
	}
	var list []streamEntry
	for _, e := range snapshot {
		list = append(list, streamEntry{e.ID, slices.Clone(e.Values)})
	}
	edit := func(change func([]streamEntry) []streamEntry) []streamEntry {
		var out []streamEntry
		for _, e := range list {
			out = append(out, streamEntry{e.id, slices.Clone(e.values)})
		}
		return change(out)
	}
	for what, change := range map[string]func([]streamEntry) []streamEntry{
		"changed": func(l []streamEntry) []streamEntry {
			for i, v := range l[3].values {
				l[3].values[i] = strings.Replace(v, `"sue"`, `"bob"`, 1)
			}
			return l
		},
		"removed":     func(l []streamEntry) []streamEntry { return slices.Delete(l, 2, 3) },
		"newest gone": func(l []streamEntry) []streamEntry { return l[:len(l)-1] },
		"oldest gone": func(l []streamEntry) []streamEntry { return l[1:] },
		"swapped":     func(l []streamEntry) []streamEntry { l[2].values, l[3].values = l[3].values, l[2].values; return l },
		"doubled": func(l []streamEntry) []streamEntry {
			return append(l, streamEntry{"99999999999999-0", l[3].values})
		},
		"all gone": func([]streamEntry) []streamEntry { return nil },
	} {
		rebuild(edit(change))
		if rep := verify(noted); rep.OK || len(rep.Problems) == 0 {
			t.Errorf("%s: %+v", what, rep)
		}
	}
	rebuild(list)
	if rep := verify(noted); !rep.OK {
		t.Errorf("as it was: %+v", rep)
	}
}

type streamEntry struct {
	id     string
	values []string
}

// TestHostileKeys fills what a second controller, which does not act on the
// switch, reads of it with everything that is no agent and no session.
func TestHostileKeys(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents = ptr([]wire.Action{wire.ActionListen}), ptr([]string{"*"})
	})
	h.call("5550100", "1001")
	good := h.redis.HGet(keyAgents, "1001@"+domain)
	h.until("the agent is stored", func() bool { good = h.redis.HGet(keyAgents, "1001@"+domain); return good != "" })
	x := h.listens("sue", "1001", "1002")
	h.rest()
	for name, value := range map[string]string{
		"markup<script>alert(1)</script>": strings.ReplaceAll(good, "1001@"+domain, "markup<script>alert(1)</script>"),
		"nul\x00":                         good, "line\r\nbreak": good, "\xff\xfe": good, strings.Repeat("n", 1<<20): good,
		"huge": `{"agent":"` + strings.Repeat("a", 1<<20) + `"}`, "list": "[]", "null": "null", "number": "7", "nothing": "", "deep": strings.Repeat("[", 100000),
		"": good, "state": `{"agent":"state","state":"<b>","node":"elsewhere","user":"\u0000","supervisors":[{"session":"` + strings.Repeat("s", 70000) + `"}]}`,
	} {
		h.redis.HSet(keyAgents, name, value)
	}
	h.redis.SAdd("livemon:{n:sim}:live", "forged", "nul%00", strings.Repeat("x", 1<<20))
	h.redis.HSet(keySession+"forged", "v", `{"id":"forged","account":"sue","agent":"1001@`+domain+`","status":"listening","role":"barge","desired":"barge","node":"sim","channel":"all","phone":"1003\r\n\r\napi shutdown"}`, "desired", "barge")
	h.redis.HSet(keySession+"nul%00", "v", "\x00", "desired", "\x00")

	// It reads them while the other acts, and takes over when that one ends.
	second, err := monitor.New(h.cfg, h.store)
	h.must(err)
	list, err := second.Agents(wire.WithActor(t.Context(), operator))
	h.must(err)
	for _, a := range list {
		if len(a.Agent) > 1024 || len(a.Supervisors) > 0 && len(a.Supervisors[0].Session) > 1024 {
			t.Errorf("an agent is %.100q", a.Agent)
		}
	}
	if _, err := second.Sessions(t.Context()); err != nil {
		t.Error(err)
	}
	h.unheard("a restart", func() {
		h.stop()
		h.start()
		h.rest()
		if now := h.await(x.ID, func(x wire.Session) bool { return x.Status == wire.Listening }); now.Account != "sue" || now.Role != wire.Monitor {
			t.Errorf("%+v", now)
		}
	})
	if list, _ := h.svc.Sessions(t.Context()); len(list) != 1 {
		t.Errorf("sessions %+v", list)
	}
}
