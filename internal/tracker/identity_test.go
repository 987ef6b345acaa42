package tracker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"livemon/internal/identity"
	"livemon/internal/tracker"
)

// with sets a channel's headers, by pairs of name and value, and makes it.
func (w *world) with(c *channel, headers ...string) *channel {
	w.t.Helper()
	c.headers = map[string]string{}
	for i := 0; i < len(headers); i += 2 {
		c.headers[headers[i]] = headers[i+1]
	}
	if c.vars == nil {
		c.vars = map[string]string{}
	}
	w.channels[c.id] = c
	w.send("CHANNEL_CREATE", c)
	return c
}

// claims are the variables by which a leg can call itself another agent's.
func claims(user, ccAgent string) map[string]string {
	return map[string]string{"cc_side": "agent", "cc_agent": ccAgent, "cc_queue": "q", "presence_id": ext(user), "dialed_user": user, "dialed_domain": domain,
		"user_name": user, "sip_authorized": "true", "sip_auth_username": user, "requested_domain_name": domain, "sip_acl_token": ext(user), "sip_gateway_name": "pstn"}
}

// both runs a check as things are by events, and as a fresh full read has them.
func (w *world) both(check func(*world)) {
	w.t.Helper()
	check(w)
	fresh := &world{model: w.model, t: w.t, tr: tracker.New("node1", tracker.Options{}), mirror: newMirror()}
	fresh.load()
	fresh.owners()
	check(fresh)
	w.load()
	w.owners()
	check(w)
}

// owners tells a tracker what the switch says of the sessions that it asks about:
// S1 is 1001's client.
func (w *world) owners() {
	w.t.Helper()
	for _, q := range w.tr.VertoLegs() {
		owner := ""
		if q.Session == "S1" {
			owner = ext("1001")
		}
		w.took(w.tr.SetOwner(q, owner))
	}
}

// queueWorld has three extensions of which 1005 is mod_callcenter's agent boss.
func queueWorld(t *testing.T) *world {
	w := newWorld(t, "1001", "1002", "1005")
	w.agents = agentColumns + agentRow("boss", "user/1005@example.com", "Available", 0, 0)
	w.load()
	return w
}

// TestInboundLegIsWhoHasAuthenticated has a telephone and a Verto client call
// that log in as 1001 and call themselves 1005.
func TestInboundLegIsWhoHasAuthenticated(t *testing.T) {
	for name, headers := range map[string][]string{
		"a SIP telephone with another From": {"Channel-Presence-ID", ext("1005"), "variable_sip_authorized", "true", "variable_sip_auth_username", "1001", "variable_requested_domain_name", "Example.com"},
		"an access list":                    {"Channel-Presence-ID", ext("1005"), "variable_sip_authorized", "true", "variable_sip_acl_token", ext("1001")},
		"a Verto client":                    {"Channel-Presence-ID", ext("1005"), "Caller-Source", "mod_verto", "Caller-Username", ext("1001")},
	} {
		t.Run(name, func(t *testing.T) {
			w := queueWorld(t)
			c := &channel{id: "x", dir: tracker.Inbound, number: "1005", dest: "600"}
			if name == "a Verto client" {
				c.vars = claims("1005", "boss")
			}
			w.with(c, headers...)
			w.both(func(w *world) {
				w.t.Helper()
				w.is("boss", "idle", "")
				w.is(ext("1001"), "ringing", "600")
				if asked := w.tr.UnknownPresence(); len(asked) != 0 {
					w.t.Errorf("asks about %v", asked)
				}
			})
		})
	}
}

// TestUnauthenticatedLegIsNobodys has telephones call that have not shown who they are.
func TestUnauthenticatedLegIsNobodys(t *testing.T) {
	for name, headers := range map[string][]string{
		"a SIP telephone":                       {"Caller-Source", "mod_sofia"},
		"a loopback's end":                      {"Caller-Source", "mod_loopback", "Caller-Username", ext("1005")},
		"a Verto client that has not logged in": {"Caller-Source", "mod_verto"},
		"a leg of some other module":            {"Caller-Source", "mod_freetdm", "Caller-Username", ext("1005")},
	} {
		t.Run(name, func(t *testing.T) {
			w := queueWorld(t)
			w.with(&channel{id: "x", dir: tracker.Inbound, number: "1005", dest: "600"},
				append(headers, "Channel-Presence-ID", ext("1005"), "variable_cc_side", "agent", "variable_cc_agent", "boss")...)
			w.both(func(w *world) { w.t.Helper(); w.is("boss", "idle", ""); w.is(ext("1001"), "idle", "") })
		})
	}
}

// TestTrustedPresence believes unauthenticated telephones at one address, and says so.
func TestTrustedPresence(t *testing.T) {
	w := newWorld(t, "1005")
	tr := tracker.New("node1", tracker.Options{TrustPresence: func(address string) bool { return address == "192.0.2.7" }})
	if _, err := tr.Load(w.snapshot()); err != nil {
		t.Fatal(err)
	}
	w.handle = func(e *event) { tr.Apply(e) }
	call := func(id, address, source string) *channel {
		return w.with(&channel{id: id, dir: tracker.Inbound, number: "1005", dest: "600"}, "Channel-Presence-ID", ext("1005"), "variable_sip_network_ip", address, "Caller-Source", source)
	}
	call("a", "192.0.2.8", "mod_sofia")
	call("b", "192.0.2.7", "mod_verto")
	if a, _ := tr.Agent(ext("1005")); a.State != "idle" || a.Unverified {
		t.Fatalf("%+v", a)
	}
	c := call("c", "192.0.2.7", "mod_sofia")
	if a, _ := tr.Agent(ext("1005")); a.State != "ringing" || !a.Unverified {
		t.Fatalf("%+v", a)
	}
	w.queue("bridge-agent-start", "ag1", "CC-Agent-UUID", "c") // who says so is the queue
	if a, _ := tr.Agent("ag1"); a.State != "ringing" || a.Unverified {
		t.Fatalf("%+v", a)
	}
	w.hangup(c)
	w.create("d", tracker.Inbound, ext("1005"), "1005", "600")
	if a, _ := tr.Agent("ag1"); a.State != "ringing" || a.Unverified {
		t.Fatalf("%+v", a)
	}
}

// TestVertoLegIsWhomItServes rings a Verto client of 1001's that calls its leg 1005's.
func TestVertoLegIsWhomItServes(t *testing.T) {
	for name, headers := range map[string][]string{
		"by its name":                          {"Channel-Name", "verto.rtc/S1"},
		"by its destination":                   {"Channel-Name", "sofia/internal/1005@example.com", "Caller-Destination-Number", "u:S1"},
		"and the one that dials is 1005's own": {"Channel-Name", "verto.rtc/S1", "Caller-Source", "mod_verto", "Caller-Username", ext("1005")},
	} {
		t.Run(name, func(t *testing.T) {
			w := queueWorld(t)
			w.with(&channel{id: "x", dir: tracker.Outbound, number: "1005", dest: "600", vars: claims("1005", "boss")}, append(headers, "Channel-Presence-ID", ext("1005"))...)
			w.is("boss", "idle", "")
			if !w.tr.Asks() {
				t.Fatal("nobody is asked whose leg it is")
			}
			w.owners()
			w.both(func(w *world) {
				w.t.Helper()
				w.is("boss", "idle", "")
				if a, _ := w.tr.Agent(ext("1001")); a.State != "ringing" {
					w.t.Errorf("%+v", a)
				}
				if in, ok := w.tr.InHouse("x"); !ok || in.Agent != ext("1001") {
					w.t.Errorf("%+v", in)
				}
			})
		})
	}
	w := queueWorld(t)
	w.with(&channel{id: "x", dir: tracker.Outbound, vars: claims("1005", "boss")}, "Channel-Name", "verto.rtc/S9")
	for range 3 {
		w.send("CHANNEL_PARK", w.channels["x"])
	}
	q := w.tr.VertoLegs()
	if len(q) != 1 || q[0].Channel != "x" || q[0].Session != "S9" || !slices.Equal(q[0].Claims, []string{ext("1005")}) {
		t.Errorf("%+v", q)
	}
	w.took(w.tr.SetOwner(q[0], ""))
	w.took(w.tr.SetOwner(tracker.VertoLeg{Channel: "x", Session: "other"}, ext("1002")))
	w.is("boss", "idle", "")
	w.is(ext("1002"), "idle", "")
}

// TestExportedVariablesAreNobodys has a Verto client export variables to the legs
// that it originates, and the caller of a queue to the agent's.
func TestExportedVariablesAreNobodys(t *testing.T) {
	originated := []string{"Channel-Name", "sofia/internal/1002@example.com", "Other-Type", "originator", "Other-Leg-Source", "mod_verto", "Other-Leg-Unique-ID", "a"}
	lies := func(user string) map[string]string {
		v := claims("1005", "boss")
		v["dialed_user"] = user
		return v
	}
	for name, x := range map[string]struct {
		headers []string
		vars    map[string]string
		want    string // the state of 1002
	}{
		"from the leg that dials":      {originated, lies("1002"), "ringing"},
		"the user it dials among them": {append(originated, "variable_export_vars", "cc_side,cc_agent,dialed_user"), lies("1005"), "idle"},
		"from a queue's caller": {[]string{"Channel-Name", "sofia/internal/1002@example.com", "variable_cc_export_vars", "cc_side,cc_agent"},
			map[string]string{"cc_side": "agent", "cc_agent": "boss", "dialed_user": "1002", "dialed_domain": domain}, "ringing"},
		"presence id and all": {[]string{"Channel-Name", "sofia/internal/1002@example.com", "variable_cc_export_vars", "cc_agent,presence_id,dialed_user", "Channel-Presence-ID", ext("1005")},
			map[string]string{"cc_side": "agent", "cc_agent": "boss", "dialed_user": "1005", "dialed_domain": domain}, "idle"},
	} {
		t.Run(name, func(t *testing.T) {
			w := queueWorld(t)
			w.with(&channel{id: "a", dir: tracker.Inbound, number: "1001", dest: "1002"}, "Caller-Source", "mod_verto", "Caller-Username", ext("1001"))
			w.with(&channel{id: "b", dir: tracker.Outbound, number: "1002", dest: "1001", vars: x.vars}, x.headers...)
			w.both(func(w *world) {
				w.t.Helper()
				w.is("boss", "idle", "")
				if a, _ := w.tr.Agent(ext("1002")); string(a.State) != x.want {
					w.t.Errorf("%+v", a)
				}
			})
		})
	}
}

// TestChosenIsInherited follows a Verto client's variables through a loopback.
func TestChosenIsInherited(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	w.with(&channel{id: "z-verto", dir: tracker.Inbound}, "Caller-Source", "mod_verto", "Caller-Username", ext("1001"))
	w.with(&channel{id: "y-loop-a", dir: tracker.Outbound}, "Channel-Name", "loopback/1002-a", "Other-Type", "originator", "Other-Leg-Unique-ID", "z-verto", "Other-Leg-Source", "mod_verto")
	w.with(&channel{id: "x-loop-b", dir: tracker.Inbound}, "Channel-Name", "loopback/1002-b", "Caller-Source", "mod_loopback", "variable_other_loopback_leg_uuid", "y-loop-a")
	w.with(&channel{id: "b", dir: tracker.Outbound}, "Channel-Name", "sofia/internal/1002@x", "Other-Type", "originator", "Other-Leg-Unique-ID", "x-loop-b", "Other-Leg-Source", "mod_loopback")
	w.create("c", tracker.Outbound, ext("1002"), "1002", "5")
	w.both(func(w *world) {
		w.t.Helper()
		for id, chosen := range map[string]bool{"z-verto": true, "y-loop-a": true, "x-loop-b": true, "b": true, "c": false} {
			if l, ok := w.tr.Leg(id); !ok || l.Chosen != chosen {
				w.t.Errorf("%s: %+v", id, l)
			}
		}
	})
}

// TestQueueServesAVertoClient has mod_callcenter itself say whose a leg is.
func TestQueueServesAVertoClient(t *testing.T) {
	w := newWorld(t, "1001", "1005")
	row := agentRow("ag1", "user/1001@example.com", "Available", 0, 0)
	w.agents = agentColumns + row + agentRow("boss", "user/1005@example.com", "Available", 0, 0)
	w.load()
	m := w.create("m", tracker.Inbound, "", "555", "q")
	p := w.with(&channel{id: "p", dir: tracker.Inbound, number: "1005", dest: "7777", vars: claims("1005", "boss")}, "Caller-Source", "mod_verto", "Caller-Username", "outsider@example.com")
	w.is("ag1", "idle", "")
	w.queue("bridge-agent-start", "ag1", "CC-Agent-UUID", "p", "CC-Queue", "support@default")
	w.bridge(m, p)
	w.agents = agentColumns + "ag1|single_box|p" + row[len("ag1|single_box|"):] + agentRow("boss", "user/1005@example.com", "Available", 0, 0)
	w.both(func(w *world) {
		w.t.Helper()
		w.on("ag1", "m", "")
		w.is("boss", "idle", "")
	})
}

// TestNumbersFromOutsideCostNoQuestions floods the tracker with presence ids.
func TestNumbersFromOutsideCostNoQuestions(t *testing.T) {
	flood := func(w *world, dir, at string) (asked int) {
		for i := range 2000 {
			c := &channel{id: fmt.Sprint("x", dir, at, i), dir: dir}
			w.with(c, "Channel-Presence-ID", fmt.Sprintf("555%04d@%s", i, strings.ReplaceAll(at, "N", fmt.Sprint(i))), "Caller-Source", "mod_sofia", "Channel-Name", "sofia/external/x")
			asked += len(w.tr.UnknownPresence())
			w.hangup(c)
		}
		return asked
	}
	for _, x := range []struct {
		name, dir, at string
		most          int
	}{
		{"calls from outside", tracker.Inbound, "example.com", 0},
		{"calls to one domain", tracker.Outbound, "elsewhere.example", 8},
		{"calls to many domains", tracker.Outbound, "dN.example", 8},
		{"calls in the directory's domain", tracker.Outbound, "example.com", 256},
	} {
		w := newWorld(t, "1001")
		w.mirror = newMirror()
		w.handle = func(e *event) { w.tr.Apply(e) }
		for range 2 { // a full read allows as many again
			if got := flood(w, x.dir, x.at); got > x.most || x.most > 0 && got == 0 {
				t.Errorf("%s: %d questions", x.name, got)
			}
			if _, err := w.tr.Load(w.snapshot()); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.tr.Legs(); n != 0 {
			t.Error(n, "legs are left")
		}
	}
	// The users that the switch itself has dialled need no question either.
	w := newWorld(t)
	w.with(&channel{id: "x", dir: tracker.Outbound, number: "2001"}, "variable_dialed_user", "2001", "variable_dialed_domain", domain)
	w.is(ext("2001"), "ringing", "")
	if got := w.tr.UnknownPresence(); len(got) != 0 {
		t.Error(got)
	}
}

// TestLoginsInCapitals takes a user for the directory's, as the switch does.
func TestLoginsInCapitals(t *testing.T) {
	w := newWorld(t, "alice")
	w.with(&channel{id: "x", dir: tracker.Inbound, number: "1", dest: "600"}, "Caller-Source", "mod_verto", "Caller-Username", "ALICE@example.com")
	w.both(func(w *world) {
		w.t.Helper()
		w.is(ext("alice"), "ringing", "600")
		if n := len(w.tr.Agents()); n != 1 {
			w.t.Error(w.tr.Agents())
		}
	})
}

// TestAuthenticatedUserIsAgent needs no directory, and is not doubted while the call lasts.
func TestAuthenticatedUserIsAgent(t *testing.T) {
	w := newWorld(t)
	c := w.create("x", tracker.Inbound, ext("3001"), "3001", "600")
	w.is(ext("3001"), "ringing", "600")
	w.took(w.tr.SetUser(ext("3001"), false))
	w.is(ext("3001"), "ringing", "600")
	w.hangup(c)
	w.load()
	if got := w.tr.UnknownPresence(); !slices.Equal(got, []string{ext("3001")}) {
		t.Error(got)
	}
	w.took(w.tr.SetUser(ext("3001"), false))
	if got := w.tr.Agents(); len(got) != 0 {
		t.Error(got)
	}
}

func TestHeadersAreThoseOfIdentity(t *testing.T) {
	for _, h := range identity.Headers() {
		if !slices.Contains(tracker.Headers(), h) {
			t.Errorf("%s is not among the headers that events are read for", h)
		}
	}
}
