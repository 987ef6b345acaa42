package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"livemon/internal/identity"
)

// leg makes a leg's headers of "Name: value" lines.
func leg(lines string) identity.Header {
	h := map[string]string{}
	for line := range strings.SplitSeq(lines, "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			h[k] = v
		}
	}
	return func(name string) string { return h[name] }
}

const (
	sofia = "Call-Direction: inbound\nCaller-Source: mod_sofia\n"
	verto = "Call-Direction: inbound\nCaller-Source: mod_verto\nCaller-Username: 1001@Example.com\n"
	auth  = sofia + "variable_sip_authorized: true\nvariable_sip_auth_username: 1001\nvariable_requested_domain_name: example.com\n"
	lies  = "Channel-Presence-ID: 1005@example.com\nvariable_presence_id: 1005@example.com\nvariable_user_name: 1005\nvariable_domain_name: example.com\n" +
		"variable_dialed_user: 1005\nvariable_dialed_domain: example.com\nvariable_sip_auth_realm: evil.example\nvariable_cc_agent: boss\n"
	called = "Call-Direction: outbound\nCaller-Source: mod_verto\nCaller-Username: 1001@example.com\n"
)

func TestCaller(t *testing.T) {
	for _, x := range []struct{ name, leg, want string }{
		{"a telephone with a password", auth + lies, "1001@example.com"},
		{"a telephone without", sofia + lies, ""},
		{"one that says it had", sofia + lies + "variable_sip_h_X-sip_authorized: true\nvariable_sip_auth_username: 1005\nvariable_requested_domain_name: example.com", ""},
		{"one whose user no directory was asked for", sofia + "variable_sip_authorized: true\nvariable_sip_auth_username: 1001\n" + lies, ""},
		{"an access list with a user", sofia + lies + "variable_sip_authorized: true\nvariable_sip_acl_token: 1001@Example.com", "1001@example.com"},
		{"an access list with a user, not used", sofia + lies + "variable_sip_acl_token: 1005@example.com", ""},
		{"an access list without", sofia + lies + "variable_sip_authorized: true\nvariable_sip_acl_authed_by: lan", ""},
		{"an access list with something else", sofia + lies + "variable_sip_authorized: true\nvariable_sip_acl_token: lan", ""},
		{"a telephone that a Verto client has talked with", auth + "variable_bridge_export_vars: a,sip_auth_username", ""},
		{"a number alias", sofia + lies + "variable_sip_authorized: true\nvariable_sip_auth_username: 5001\nvariable_number_alias: 5001\nvariable_requested_domain_name: example.com", "1005@example.com"},
		{"a Verto client", verto + lies, "1001@example.com"},
		{"a Verto client as a telephone", verto + lies + "variable_sip_authorized: true\nvariable_sip_auth_username: 1005\nvariable_requested_domain_name: example.com\nvariable_source: mod_sofia", "1001@example.com"},
		{"a Verto client that has not logged in", strings.ReplaceAll(verto, "1001@Example.com", "") + lies, ""},
		{"a leg that the switch dials", called + lies + "variable_sip_authorized: true\nvariable_sip_auth_username: 1005\nvariable_requested_domain_name: example.com", ""},
		{"the far end of a loopback", strings.ReplaceAll(verto, "mod_verto", "mod_loopback") + lies, ""},
		{"a user that could be part of a command", verto + "Caller-Username: 1001 x@example.com", ""},
		{"nothing", "", ""},
	} {
		if got := identity.Caller(leg(x.leg)); got != x.want {
			t.Errorf("%s: %q, not %q", x.name, got, x.want)
		}
	}
}

func TestClaim(t *testing.T) {
	from := "Channel-Presence-ID: 1005@Example.com\nvariable_sip_network_ip: 192.0.2.7\n"
	if user, address := identity.Claim(leg(sofia + from)); user != "1005@example.com" || address != "192.0.2.7" {
		t.Error(user, address)
	}
	for _, x := range []string{auth + from, verto + from, called + from, strings.ReplaceAll(sofia, "mod_sofia", "mod_loopback") + from} {
		if user, address := identity.Claim(leg(x)); user != "" || address != "" {
			t.Errorf("%q claims %q from %q", x, user, address)
		}
	}
}

func TestChosen(t *testing.T) {
	for _, x := range []struct {
		leg    string
		chosen bool
	}{
		{auth, false},
		{verto, true},
		{called, false}, // whose profile this is, only the originator says
		{"Call-Direction: outbound\nChannel-Name: verto.rtc/S1", true},
		{"Call-Direction: outbound\nChannel-Name: sofia/internal/x\nCaller-Destination-Number: u:S1", true},
		{called + "Channel-Name: sofia/internal/x\nOther-Type: originator\nOther-Leg-Source: mod_verto", true},
		{called + "Channel-Name: sofia/internal/x\nOther-Type: originator\nOther-Leg-Channel-Name: verto.rtc/9999", true},
		{called + "Channel-Name: sofia/internal/x\nOther-Type: originatee\nOther-Leg-Source: mod_verto", false},
		{"Call-Direction: outbound\nChannel-Name: sofia/internal/x\nOther-Type: originator\nOther-Leg-Source: mod_sofia", false},
	} {
		if got := identity.Chosen(leg(x.leg)); got != x.chosen {
			t.Errorf("%q: %v", x.leg, got)
		}
	}
}

func TestDialled(t *testing.T) {
	to := "Call-Direction: outbound\nvariable_dialed_user: 1005\nvariable_dialed_domain: Example.com\n"
	if got := identity.Dialled(leg(to)); got != "1005@example.com" {
		t.Error(got)
	}
	for _, x := range []string{
		to + "variable_export_vars: a,dialed_user", to + "variable_cc_export_vars: dialed_domain", to + "variable_bridge_export_vars:  nolocal:Dialed_User ",
		to + "variable_export_vars: _nolocal_dialed_user", strings.ReplaceAll(to, "outbound", "inbound"), strings.ReplaceAll(to, "Example", "a b"),
	} {
		if got := identity.Dialled(leg(x)); got != "" {
			t.Errorf("%q: %q", x, got)
		}
	}
}

func TestServes(t *testing.T) {
	for contact, serves := range map[string]bool{
		"verto.rtc/u:S1": true, "verto.rtc/u:S0,verto.rtc/u:S1\n": true,
		"verto.rtc/u:S12": false, "error/user_not_registered": false, "": false, "-ERR no reply": false, "verto.rtc/u:": false,
	} {
		if got := identity.Serves(contact, "S1"); got != serves {
			t.Errorf("%q: %v", contact, got)
		}
	}
	if identity.Serves("verto.rtc/u:", "") {
		t.Error("no session is somebody's")
	}
}

const status = `{"profiles":[{"name":"default-v4","users":[{"user":"1001","domain":"x","entity":"1001@X","state":"CONN_REG"},
	{"entity":"(null)@(null)","state":"CONN_NO_REG"},{"entity":"a b@x","state":"CONN_REG"}]},{"users":[{"entity":"1001@X","state":"CONN_REG"},{"entity":"1002@x","state":"CONN_REG"}]}]}`

func TestClients(t *testing.T) {
	if got := identity.Clients([]byte(status)); strings.Join(got, " ") != "1001@X 1002@x" {
		t.Error(got)
	}
	if got := identity.Clients([]byte("-ERR verto Command not found!\n")); got != nil {
		t.Error(got)
	}
}

// FuzzIdentity gives a leg any headers: nobody may be known by what a telephone
// can choose.
func FuzzIdentity(f *testing.F) {
	for _, s := range []string{auth + lies, verto + lies, called + lies, sofia + "variable_sip_authorized: true\nvariable_sip_acl_token: a@B"} {
		f.Add(s, "presence_id", "1005@example.com")
	}
	f.Fuzz(func(t *testing.T, headers, name, value string) {
		get := leg(headers)
		who := identity.Caller(get)
		user, domain, _ := strings.Cut(who, "@")
		if who != "" && (user == "" || domain == "" || domain != strings.ToLower(domain) || len(who) > 256 || strings.ContainsAny(who, " \r\n\x00'\"{}[]<>|;,")) {
			t.Fatalf("%q is %q", headers, who)
		}
		with := func(header string) identity.Header {
			return func(n string) string {
				if n == header {
					return value
				}
				return get(n)
			}
		}
		if get("Caller-Source") == identity.Verto && get("Call-Direction") == "inbound" {
			if got := identity.Caller(with("variable_" + name)); got != who || !identity.Chosen(with("variable_"+name)) {
				t.Fatalf("by %q=%q a Verto client is %q, not %q", name, value, got, who)
			}
		}
		if got := identity.Caller(with("variable_sip_h_" + name)); got != who {
			t.Fatalf("by the SIP header %q: %q a telephone is %q, not %q", name, value, got, who)
		}
		if got := identity.Caller(with("Channel-Presence-ID")); got != who {
			t.Fatalf("by its From %q a telephone is %q, not %q", value, got, who)
		}
		if user, _ := identity.Claim(get); user != "" && who != "" {
			t.Fatalf("%q is %q and claims to be %q", headers, who, user)
		}
		identity.Dialled(get)
		identity.Parent(get)
		identity.Serves(value, identity.Session(get))
	})
}

// FuzzDump feeds anything as the switch's answer.
func FuzzDump(f *testing.F) {
	f.Add([]byte(`{"Call-Direction":"inbound","Caller-Source":"mod_verto","Caller-Username":"1001@x","variable_a":["1","2"],"variable_Caller-Username":"1005@x"}`))
	f.Add([]byte("-ERR No such channel!\n"))
	f.Add([]byte("null"))
	f.Add([]byte(status))
	f.Fuzz(func(t *testing.T, answer []byte) {
		get := identity.Dump(answer)
		if (get != nil) != (json.Unmarshal(answer, new(map[string]any)) == nil && strings.TrimSpace(string(answer)) != "null") {
			t.Fatalf("%q", answer)
		}
		if get != nil {
			identity.Caller(get)
		}
		for _, user := range identity.Clients(answer) {
			if identity.User(user) == "" {
				t.Fatalf("%q has the client %q", answer, user)
			}
		}
	})
}
