package doors_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"livemon/internal/access"
	"livemon/internal/wire"
)

// Who tries the doors. The order is that of a row's answers.
const (
	theOperator = iota // who has the machine's token
	theAdmin           // administers everything, may listen to nobody
	sue                // may listen to the team
	cole               // may listen to the team, and coach
	idle               // has an account, and no right
	gone               // has every right, and was disabled a moment ago
	nobody
	people
)

var names = [people]string{"operator", "ada", "sue", "cole", "ida", "gary", "nobody"}

// office is a house with people, calls, and somebody who listens already.
type office struct {
	*house
	mine, theirs wire.Session // the boss's, on an agent whom the team's supervisors see, and on one whom they do not
	tokens       [people]string
	logins       [people]string
}

func staff(t *testing.T) *office {
	t.Helper()
	h := build(t, func(o *options) { o.access = access.Config{Never: access.Never{Agents: []string{"1009"}}} })
	o := &office{house: h}
	_, err := h.people.AddTeam(wire.WithActor(t.Context(), operator), wire.Team{Name: "support", Agents: []string{"1001", "1005", "1009"}})
	h.must(err)
	team := func(rights ...wire.Action) func(*wire.AccountChange) {
		return func(c *wire.AccountChange) {
			c.Rights, c.Teams, c.Numbers = &rights, ptr([]string{"support"}), ptr(false)
		}
	}
	h.account("boss", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(90)
	})
	h.account("peer", func(c *wire.AccountChange) { c.Extension = ptr("1005") })
	h.account(names[theAdmin], func(c *wire.AccountChange) { c.Admin, c.Agents, c.Rank = ptr(true), ptr([]string{"*"}), ptr(100) })
	h.account(names[sue], team(wire.ActionListen))
	h.account(names[cole], team(wire.ActionListen, wire.ActionCoach))
	h.account(names[idle], func(c *wire.AccountChange) { c.Agents = ptr([]string{"*"}) })
	h.account(names[gone], func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(95)
	})
	for who := theAdmin; who < nobody; who++ {
		o.tokens[who], o.logins[who] = h.token(names[who]), h.login(names[who])
		if a := h.ask(bearer(o.tokens[who]), "GET", "/v1/me", nil); a.status != http.StatusOK {
			t.Fatalf("%s: %s", names[who], a.whole())
		}
	}
	o.tokens[theOperator] = machine
	h.edit(names[gone], wire.AccountChange{Disabled: ptr(true)})
	for i, agent := range []string{"1001", "1003", "1005", "1009"} {
		h.call(fmt.Sprint("555010", i), agent)
	}
	o.mine, o.theirs = h.listens("boss", "1001", "1006"), h.listens("boss", "1003", "1007")
	h.rest()
	return o
}

// try is one thing that somebody tries, and the status of the answer to each who does.
type try struct {
	what, method, path string
	body               any
	want               [people]int
	acts               bool // it would let somebody listen, or change what he does: a refusal is recorded
}

// tries are all that is tried at a session's, an agent's or an administrator's door.
func (o *office) tries() []try {
	listen := func(agent string) any { return wire.MonitorRequest{Agent: agent, Phone: "1002"} }
	role := func(r wire.Role) any { return map[string]any{"role": r} }
	mine, theirs := "/v1/sessions/"+o.mine.ID, "/v1/sessions/"+o.theirs.ID
	return []try{
		{"see a session", "GET", mine, nil, [people]int{200, 200, 200, 200, 200, 401, 401}, false},
		{"wait for a session", "GET", mine + "?wait=1&status=ringing&role=joining", nil, [people]int{200, 200, 200, 200, 200, 401, 401}, false},
		{"see a session that is not theirs to see", "GET", theirs, nil, [people]int{200, 200, 404, 404, 200, 401, 401}, false},
		{"wait for it", "GET", theirs + "?wait=1&status=ringing&role=joining", nil, [people]int{200, 200, 404, 404, 200, 401, 401}, false},
		{"listen without the right", "POST", "/v1/sessions", listen("1003"), [people]int{403, 403, 404, 404, 403, 401, 401}, true},
		{"listen to a peer", "POST", "/v1/sessions", listen("1005"), [people]int{403, 403, 404, 404, 404, 401, 401}, true},
		{"listen to whom nobody may", "POST", "/v1/sessions", listen("1009"), [people]int{403, 403, 403, 403, 403, 401, 401}, true},
		{"listen in another's name", "POST", "/v1/sessions", wire.MonitorRequest{Agent: "1003", Phone: "1002", Supervisor: "boss"}, [people]int{403, 403, 404, 404, 403, 401, 401}, true},
		{"coach with another's session", "POST", mine + "/role", role(wire.Coach), [people]int{403, 403, 403, 403, 403, 401, 401}, true},
		{"barge in with another's session", "POST", mine + "/role", role(wire.Barge), [people]int{403, 403, 403, 403, 403, 401, 401}, true},
		{"take over with another's session", "POST", mine + "/takeover", nil, [people]int{403, 403, 403, 403, 403, 401, 401}, true},
		{"have another's session follow", "PUT", mine + "/follow", map[string]any{"follow": "agent"}, [people]int{0, 403, 403, 403, 403, 401, 401}, true},
		{"stop another's session", "DELETE", mine, nil, [people]int{0, 0, 403, 403, 403, 401, 401}, true},
		{"coach with a session that is not theirs to see", "POST", theirs + "/role", role(wire.Coach), [people]int{403, 403, 404, 404, 403, 401, 401}, false},
		{"take over with it", "POST", theirs + "/takeover", nil, [people]int{403, 403, 404, 404, 403, 401, 401}, false},
		{"have it follow", "PUT", theirs + "/follow", map[string]any{"follow": "agent"}, [people]int{0, 403, 404, 404, 403, 401, 401}, false},
		{"stop it", "DELETE", theirs, nil, [people]int{0, 0, 404, 404, 403, 401, 401}, false},
		{"read what others did", "GET", "/v1/audit?supervisor=boss", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"export", "GET", "/v1/audit/export", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"read the audit's head", "GET", "/v1/audit/head", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"examine", "GET", "/v1/doctor", nil, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"register a telephone", "POST", "/v1/extensions", map[string]any{"number": "1002"}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"remove a telephone", "DELETE", "/v1/extensions/1002", nil, [people]int{404, 404, 403, 403, 403, 401, 401}, false},
		{"read accounts", "GET", "/v1/accounts", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"read an account", "GET", "/v1/accounts/boss", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"make an account", "POST", "/v1/accounts", map[string]any{"name": "eve", "admin": true}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"make the first account", "POST", "/v1/accounts", map[string]any{"name": "eve", "first": true}, [people]int{409, 409, 403, 403, 403, 401, 401}, false},
		{"take rights", "PATCH", "/v1/accounts/sue", map[string]any{"rights": wire.Actions(), "agents": []string{"*"}}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"become an administrator", "PATCH", "/v1/accounts/cole", map[string]any{"admin": true}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"remove an account", "DELETE", "/v1/accounts/peer", nil, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"unlock an account", "DELETE", "/v1/accounts/boss/lock", nil, [people]int{204, 204, 403, 403, 403, 401, 401}, false},
		{"see whether it is locked", "GET", "/v1/accounts/boss/lock", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"read another's tokens", "GET", "/v1/accounts/boss/tokens", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"make another's token", "POST", "/v1/accounts/boss/tokens", map[string]any{}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"read teams", "GET", "/v1/teams", nil, [people]int{200, 200, 403, 403, 403, 401, 401}, false},
		{"make a team", "POST", "/v1/teams", map[string]any{"name": "all", "agents": []string{"*"}}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"change a team", "PATCH", "/v1/teams/support", map[string]any{"agents": []string{"*"}}, [people]int{0, 0, 403, 403, 403, 401, 401}, false},
		{"remove a team", "DELETE", "/v1/teams/support", nil, [people]int{409, 409, 403, 403, 403, 401, 401}, false},
	}
}

// refusals counts what was refused to somebody, as the audit says it.
func (o *office) refusals(who int) (n int, last wire.AuditRecord) {
	for _, r := range o.records() {
		if r.Event == "refused" && r.Actor == names[who] {
			n, last = n+1, r
		}
	}
	return n, last
}

// through tries everything with the keys of everybody, where there is one.
func (o *office) through(door string, keys func(who int) key, guarded bool) {
	for who := range int(people) {
		k := keys(who)
		if k == nil {
			continue
		}
		o.quiet(door+", "+names[who], func() { o.tryAll(door, who, k, guarded) })
	}
}

func (o *office) tryAll(door string, who int, k key, guarded bool) {
	for _, c := range o.tries() {
		want := c.want[who]
		if guarded && c.method != "GET" {
			want = http.StatusUnauthorized
		}
		if want == 0 {
			continue // it is allowed, and would change what the others find
		}
		what := fmt.Sprintf("%s, %s: %s", door, names[who], c.what)
		before, _ := o.refusals(who)
		a := o.ask(k, c.method, c.path, c.body)
		if a.status != want {
			o.t.Errorf("%s: %d, want %d: %s", what, a.status, want, a.body)
		}
		if c.acts && want != http.StatusUnauthorized {
			var r wire.AuditRecord
			o.until(what+" is recorded", func() bool {
				var n int
				n, r = o.refusals(who)
				return n > before
			})
			if r.Agent == "" || r.Detail == "" || r.Origin == "" || r.Via == "" || r.Time.IsZero() || who != theOperator && r.Supervisor != names[who] && r.Supervisor != "boss" {
				o.t.Errorf("%s is recorded as %+v", what, r)
			}
		}
	}
}

// untouched sees that the boss's sessions, and the accounts, are as they were.
func (o *office) untouched() {
	o.t.Helper()
	for _, x := range []wire.Session{o.mine, o.theirs} {
		now, err := o.svc.Session(o.t.Context(), x.ID)
		o.must(err)
		if now.Status != wire.Listening || now.Role != wire.Monitor || now.Desired != wire.Monitor || now.Follow != x.Follow || now.Account != "boss" {
			o.t.Errorf("the boss's session is %+v", now)
		}
	}
	list, err := o.people.Accounts(wire.WithActor(o.t.Context(), operator))
	o.must(err)
	if len(list) != 7 || slices.ContainsFunc(list, func(a wire.Account) bool { return a.Admin != (a.Name == names[theAdmin]) }) {
		o.t.Errorf("accounts %+v", list)
	}
}

func TestEveryDoorByToken(t *testing.T) {
	t.Parallel()
	o := staff(t)
	o.through("token", func(who int) key {
		if who == nobody {
			return key{}
		}
		return bearer(o.tokens[who])
	}, false)
	o.untouched()
}

func TestEveryDoorByLogin(t *testing.T) {
	t.Parallel()
	o := staff(t)
	by := func(more ...string) func(int) key {
		return func(who int) key {
			if o.logins[who] == "" {
				return nil
			}
			return append(key{"Cookie", "livemon=" + o.logins[who]}, more...)
		}
	}
	o.through("login", func(who int) key {
		if o.logins[who] == "" {
			return nil
		}
		return cookie(o.logins[who])
	}, false)
	o.through("login without its second secret", by(), true)
	o.through("login with another's second secret", by("X-CSRF-Token", csrf(o.logins[theAdmin]+"x")), true)
	o.untouched()
}

// TestOwnSessions has people ask for more with sessions of their own, by API,
// keys and page, than they have a right to.
func TestOwnSessions(t *testing.T) {
	t.Parallel()
	o := staff(t)
	for _, who := range []int{sue, cole} {
		k := bearer(o.tokens[who])
		a := o.ask(k, "POST", "/v1/sessions", wire.MonitorRequest{Agent: "1001", Phone: "1002", Coaching: true, Supervisor: "boss"})
		if a.status != http.StatusCreated || strings.Contains(a.body, "5550100") {
			t.Fatal(a.whole())
		}
		var x wire.Session
		o.until("he listens", func() bool {
			list, _ := o.svc.Sessions(t.Context())
			i := slices.IndexFunc(list, func(x wire.Session) bool { return x.Account == names[who] && x.Status == wire.Listening })
			if i >= 0 {
				x = list[i]
			}
			return i >= 0
		})
		if x.Supervisor != names[who] {
			t.Errorf("%+v", x)
		}
		asks := map[string]func() int{
			"barge": func() int {
				return o.ask(k, "POST", "/v1/sessions/"+x.ID+"/role", map[string]any{"role": "barge"}).status
			},
			"takeover": func() int { return o.ask(k, "POST", "/v1/sessions/"+x.ID+"/takeover", nil).status },
			"joining": func() int {
				return o.ask(k, "POST", "/v1/sessions/"+x.ID+"/role", map[string]any{"role": "joining"}).status
			},
			"by role": func() int {
				return o.ask(k, "POST", "/v1/sessions/"+x.ID+"/role", map[string]any{"role": "takeover"}).status
			},
			"cookie": func() int {
				return o.ask(cookie(o.logins[who]), "POST", "/v1/sessions/"+x.ID+"/role", map[string]any{"role": "barge"}).status
			},
		}
		if who == sue {
			asks["coach"] = func() int {
				return o.ask(k, "POST", "/v1/sessions/"+x.ID+"/role", map[string]any{"role": "coach"}).status
			}
		}
		hears := o.hears(x.Channel)
		for what, ask := range asks {
			want := http.StatusForbidden
			if what == "joining" || what == "by role" {
				want = http.StatusBadRequest
			}
			if got := ask(); got != want {
				t.Errorf("%s, %s: %d", names[who], what, got)
			}
		}
		for i, keys := range []string{"6#", "0#", "1#", "4#"} {
			if who == cole && keys == "4#" {
				continue
			}
			before, _ := o.refusals(who)
			o.must(o.sim.Press(x.Channel, keys))
			o.until("keys "+keys+" are refused", func() bool { n, r := o.refusals(who); return n > before && r.Via == "key" })
			o.until("and heard to be", func() bool {
				n := 0
				for _, p := range o.sim.Played(x.Channel) {
					if p == refusalTone {
						n++
					}
				}
				return n > i
			})
		}
		x, err := o.svc.Session(t.Context(), x.ID)
		o.must(err)
		if x.Role != wire.Monitor || x.Desired != wire.Monitor || !slices.Equal(o.hears(x.Channel), hears) {
			t.Errorf("%+v, hears %v, before %v", x, o.hears(x.Channel), hears)
		}
		for _, leg := range o.sim.Hears(x.Channel) {
			if slices.Contains(o.sim.Hears(leg), x.Channel) {
				t.Errorf("%s hears %s", o.sim.Number(leg), names[who])
			}
		}
		if a := o.ask(k, "DELETE", "/v1/sessions/"+x.ID, nil); a.status != http.StatusOK {
			t.Error(a.whole())
		}
		o.until("he has left", func() bool { return o.sim.Leg("1002") == "" })
		o.rest()
		// What was recorded is sent once more: the session is over.
		for _, path := range []string{"/role", "/takeover", "/follow"} {
			method, body := "POST", any(map[string]any{"role": "monitor"})
			switch path {
			case "/follow":
				method, body = "PUT", map[string]any{"follow": "agent"}
			case "/takeover":
				body = nil
			}
			o.quiet("replayed "+path, func() {
				if a := o.ask(k, method, "/v1/sessions/"+x.ID+path, body); a.status != http.StatusNotFound {
					t.Errorf("replayed %s: %s", path, a.whole())
				}
			})
		}
	}
	o.untouched()
}

const refusalTone = "tone_stream://%(160,60,330);%(240,0,262)"
