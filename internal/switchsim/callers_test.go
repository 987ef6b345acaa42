package switchsim_test

import (
	"testing"

	"livemon/internal/switchsim"
)

// TestTelephones has telephones of every kind call, and reads what the switch says of them.
func TestTelephones(t *testing.T) {
	const me, other = "1001@127.0.0.1", "1005@127.0.0.1"
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	for name, x := range map[string]struct {
		from switchsim.Telephone
		want map[string]string
	}{
		"one of the directory": {switchsim.Telephone{Number: "1001"}, map[string]string{"sip_authorized": "true", "sip_auth_username": "1001",
			"requested_domain_name": "127.0.0.1", "user_name": "1001", "presence_id": me, "source": "mod_sofia", "sip_network_ip": "127.0.0.1"}},
		"another From": {switchsim.Telephone{Number: "1005", Login: "1001"}, map[string]string{"sip_auth_username": "1001", "user_name": "1001", "presence_id": other}},
		"a guest": {switchsim.Telephone{Number: "1005", Guest: true, Address: "192.0.2.7"}, map[string]string{"sip_authorized": "_undef_",
			"user_name": "_undef_", "presence_id": other, "sip_network_ip": "192.0.2.7"}},
		"an access list":  {switchsim.Telephone{Number: "1001", ACL: true}, map[string]string{"sip_authorized": "true", "sip_acl_token": me, "sip_auth_username": "_undef_"}},
		"an outside line": {switchsim.Telephone{Number: "5550100"}, map[string]string{"sip_authorized": "_undef_", "presence_id": "_undef_"}},
		"a Verto client": {switchsim.Telephone{Number: "1005", Login: "1001", Verto: true, Channel: "mine", Vars: []switchsim.Variable{{Name: "user_name", Value: "1005"}, {Name: "presence_id", Value: other}}},
			map[string]string{"uuid": "mine", "source": "mod_verto", "username": me, "verto_user": me, "user_name": "1005", "presence_id": other}},
	} {
		leg, err := s.DialFrom(t.Context(), x.from, "7777")
		must(t, err)
		for k, v := range x.want {
			if got := c.api("uuid_getvar %s %s", leg, k); got != v {
				t.Errorf("%s: %s is %q, not %q", name, k, got, v)
			}
		}
		must(t, s.Hangup(leg, ""))
	}
}

// TestVertoClientIsCalled rings a client of mod_verto, for one that exports variables.
func TestVertoClientIsCalled(t *testing.T) {
	s := start(t, switchsim.Options{UserVars: map[string]map[string]string{"1001": {"team": "red"}}})
	c := connect(t, s)
	c.want("error/user_not_registered", "verto_contact 1001@127.0.0.1")
	s.SetVerto("1001", switchsim.Client{Session: "S1", Vars: []switchsim.Variable{{Name: "dialed_user", Value: "1005"}}})
	c.want("verto.rtc/u:S1", "verto_contact 1001@127.0.0.1")
	c.want("red", "user_data 1001@127.0.0.1 var team")
	call := call(t, s, "1000", "1001")
	c.want("1005", "uuid_getvar %s dialed_user", call.B)
	c.want("u:S1", "uuid_getvar %s destination_number", call.B)
	c.want("mod_sofia", "uuid_getvar %s source", call.B) // of the leg that dialled
	must(t, s.Hangup("1000", ""))
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })

	leg, err := s.DialFrom(t.Context(), switchsim.Telephone{Number: "1000", Verto: true, Vars: []switchsim.Variable{
		{Name: "export_vars", Value: "secret,dialed_user"}, {Name: "secret", Value: "x"}, {Name: "dialed_user", Value: "1009"}}}, "1002")
	must(t, err)
	wait(t, s, "the call", func() bool { return s.Leg("1002") != "" && partner(s, leg) == s.Leg("1002") })
	b := s.Leg("1002")
	c.want("x", "uuid_getvar %s secret", b)
	c.want("1009", "uuid_getvar %s dialed_user", b) // it is exported once more when the telephone has answered
	c.want("secret,dialed_user", "uuid_getvar %s export_vars", b)
}

func partner(s *switchsim.Switch, leg string) string {
	for _, ch := range s.Channels() {
		if ch.UUID == leg {
			return ch.Partner
		}
	}
	return ""
}
