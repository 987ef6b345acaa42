package monitor_test

import (
	"slices"
	"testing"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// TestDialInIsWhoTheSwitchSays has telephones dial in that call themselves the
// supervisor's, in every way that they have.
func TestDialInIsWhoTheSwitchSays(t *testing.T) {
	for name, x := range map[string]struct {
		from   switchsim.Telephone
		trust  bool // trust-caller-id
		listen bool
	}{
		"a Verto client that sets variables": {from: switchsim.Telephone{Number: "1001", Login: "1001", Verto: true, Vars: []switchsim.Variable{
			{Name: "user_name", Value: "1005"}, {Name: "sip_authorized", Value: "true"}, {Name: "sip_auth_username", Value: "1005"},
			{Name: "requested_domain_name", Value: "127.0.0.1"}, {Name: "presence_id", Value: "1005@127.0.0.1"}, {Name: "source", Value: "mod_sofia"},
			{Name: "caller_id_number", Value: "1005"}, {Name: "username", Value: "1005"}}}},
		"a Verto client with another number, where numbers are trusted": {from: switchsim.Telephone{Number: "1005", Login: "1001", Verto: true}, trust: true},
		"a telephone with another From":                                 {from: switchsim.Telephone{Number: "1005", Login: "1001", From: "1005@127.0.0.1"}},
		"a telephone that authenticates itself as nobody":               {from: switchsim.Telephone{Number: "1005", Guest: true}},
		"a telephone in an access list, with another From":              {from: switchsim.Telephone{Number: "1005", Login: "1001", ACL: true}},
		"the supervisor's Verto client":                                 {from: switchsim.Telephone{Number: "1009", Login: "1005", Verto: true, Vars: []switchsim.Variable{{Name: "user_name", Value: "1001"}}}, listen: true},
		"the supervisor's telephone, in an access list":                 {from: switchsim.Telephone{Number: "1005", ACL: true}, listen: true},
		"the supervisor's telephone, with another From":                 {from: switchsim.Telephone{Number: "1001", Login: "1005"}, listen: true},
		"a trusted number":                                              {from: switchsim.Telephone{Number: "1005", Guest: true}, trust: true, listen: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := buildOffice(t, func(c *monitor.Config, _ *access.Config) { c.TrustCallerID = x.trust })
			o.add("boss", extension("1005"))
			o.call("5550100", "1003")
			ch, err := o.sim.DialFrom(t.Context(), x.from, "*881003")
			if err != nil {
				t.Fatal(err)
			}
			o.mu.Lock()
			o.may[ch] = []wire.Role{wire.Monitor}
			o.mu.Unlock()
			if !x.listen {
				o.gone(ch)
				o.none(fault.NotAllowed)
				return
			}
			if s := o.of(ch, listening); s.Account != "boss" || s.Phone != "1005" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestDialInAfterABridge has a telephone without a password talk with a Verto
// client, which gives it the supervisor's variables, and with another one, which
// hides that; then it is transferred to the feature code.
func TestDialInAfterABridge(t *testing.T) {
	o := buildOffice(t)
	o.add("boss", extension("1005"))
	o.call("5550100", "1003")
	const names = "sip_authorized,sip_auth_username,requested_domain_name"
	o.sim.SetVerto("1004", switchsim.Client{Session: "S4", Vars: []switchsim.Variable{{Name: "sip_authorized", Value: "true"}, {Name: "sip_auth_username", Value: "1005"},
		{Name: "requested_domain_name", Value: "127.0.0.1"}, {Name: "bridge_export_vars", Value: names}}})
	o.sim.SetVerto("1006", switchsim.Client{Session: "S6", Vars: []switchsim.Variable{{Name: "bridge_export_vars", Value: "nothing"}}})
	ch, err := o.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1001", Guest: true}, "1004")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ with, to string }{{"1004", "1006"}, {"1006", "*881003"}} {
		o.until("the call with "+step.with, func() bool {
			other := o.sim.Leg(step.with)
			return other != "" && slices.ContainsFunc(o.sim.Channels(), func(c switchsim.ChannelInfo) bool { return c.UUID == ch && c.Partner == other })
		})
		if err := o.sim.BlindTransfer(step.with, step.to); err != nil {
			t.Fatal(err)
		}
	}
	o.gone(ch)
	o.none(fault.NotAllowed)
}
