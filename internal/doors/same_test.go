package doors_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"livemon/internal/wire"
)

// TestWhatIsNotSeenReadsLikeWhatIsNotThere asks for what somebody may not see and
// for what there is not, by every door: the answers are the same, byte for byte.
func TestWhatIsNotSeenReadsLikeWhatIsNotThere(t *testing.T) {
	t.Parallel()
	o := staff(t)
	for _, who := range []int{sue, cole} {
		for door, k := range map[string]key{"token": bearer(o.tokens[who]), "login": cookie(o.logins[who])} {
			none := strings.Repeat("0", len(o.theirs.ID))
			for _, c := range o.tries() {
				if !strings.Contains(c.path, o.theirs.ID) {
					continue
				}
				seen, missing := o.ask(k, c.method, c.path, c.body), o.ask(k, c.method, strings.ReplaceAll(c.path, o.theirs.ID, none), c.body)
				same(t, fmt.Sprintf("%s, %s: %s", door, names[who], c.what), seen, missing, o.theirs.ID, none)
			}
			// An agent of another team, one who is a peer, by name, extension and with
			// his domain; and another node's.
			for _, agent := range []string{"1003", "1005", "1003@" + domain, "1005@" + domain} {
				missing := strings.Replace(strings.Replace(agent, "1003", "1103", 1), "1005", "1105", 1)
				for _, more := range []wire.MonitorRequest{{}, {Coaching: true}, {Node: "sim"}, {Node: "none"}, {Follow: wire.FollowNext}, {Follow: wire.FollowAgent}, {Supervisor: "boss"}} {
					more.Phone = "1002"
					a, b := more, more
					a.Agent, b.Agent = agent, missing
					same(t, fmt.Sprintf("%s, %s: %+v", door, names[who], a), o.ask(k, "POST", "/v1/sessions", a), o.ask(k, "POST", "/v1/sessions", b), agent, missing)
				}
			}
		}
		k := cookie(o.logins[who])
		none := strings.Repeat("0", len(o.theirs.ID))
		same(t, "who hears whom", o.ask(k, "GET", "/fragment/hears/"+o.theirs.ID, nil), o.ask(k, "GET", "/fragment/hears/"+none, nil), o.theirs.ID, none)
		for _, page := range []string{"/sessions", "/audit", "/sessions.csv", "/audit.csv"} {
			for _, filter := range []string{"?session=" + o.theirs.ID, "?agent=1003@" + domain, "?agent=1005@" + domain} {
				other := strings.NewReplacer(o.theirs.ID, none, "1003", "1103", "1005", "1105")
				there := o.ask(k, "GET", page+filter, nil)
				there.body = other.Replace(there.body)
				same(t, page+filter, there, o.ask(k, "GET", page+other.Replace(filter), nil), none, none)
			}
		}
		for _, q := range []string{"?session=" + o.theirs.ID, "?agent=1003@" + domain} {
			if a := o.ask(bearer(o.tokens[who]), "GET", "/v1/audit"+q, nil); a.status != http.StatusOK || strings.TrimSpace(a.body) != "[]" {
				t.Errorf("audit%s: %s", q, a.whole())
			}
		}
		// Nothing that is listed holds any of them.
		for _, path := range []string{"/v1/agents", "/v1/sessions", "/v1/audit", "/v1/nodes", "/v1/extensions"} {
			o.holdsNothing(path, o.ask(bearer(o.tokens[who]), "GET", path, nil).body)
		}
		for _, path := range []string{"/monitoring", "/sessions", "/audit", "/sessions.csv", "/audit.csv", "/account", "/fragment/hears/" + o.mine.ID} {
			o.holdsNothing(path, o.ask(k, "GET", path, nil).body)
		}
	}
}

// holdsNothing sees that a text holds nothing of what the team's supervisors may not see.
func (o *office) holdsNothing(what, text string) {
	o.t.Helper()
	for _, secret := range []string{"1003@", o.theirs.ID, "5550101", "5550100", "5550102", "1005", machine} {
		if strings.Contains(text, secret) {
			o.t.Errorf("%s holds %q: %s", what, secret, text)
		}
	}
}

// same sees that an answer about something that is there, and must not be seen,
// is the one about something that is not there.
func same(t *testing.T, what string, there, missing answer, name, other string) {
	t.Helper()
	there.body = strings.ReplaceAll(there.body, name, other)
	if a, b := there.whole(), missing.whole(); a != b {
		t.Errorf("%s: what is there is answered\n%s\nand what is not\n%s", what, a, b)
	}
}

// TestTelephoneTellsNothing dials agents whom the caller may not see, and some
// who do not exist: what is played is the same.
func TestTelephoneTellsNothing(t *testing.T) {
	t.Parallel()
	o := staff(t)
	o.edit(names[sue], wire.AccountChange{Extension: ptr("1002"), Agents: ptr([]string{"10??", "11??"})})
	var played []string
	for _, agent := range []string{"1005", "1105", "1003@none"} {
		var leg string
		o.quiet("dialling "+agent, func() {
			var err error
			leg, err = o.sim.Dial(t.Context(), "1002", feature+agent)
			o.must(err)
			o.until("he is hung up on", func() bool { return o.sim.Leg("1002") == "" })
		})
		now := strings.Join(o.sim.Played(leg), " ")
		played = append(played, now)
		if played[0] != now || now == "" {
			t.Errorf("%q: %s", agent, now)
		}
	}
	if list, _ := o.svc.Sessions(t.Context()); slices.ContainsFunc(list, func(x wire.Session) bool { return x.Account == names[sue] }) {
		t.Errorf("%+v", list)
	}
	// Nor does his own audit.
	a := o.ask(bearer(o.tokens[sue]), "GET", "/v1/audit", nil)
	if strings.Contains(a.body, `"agent":"1`) {
		t.Errorf("his audit tells: %s", a.body)
	}
}
