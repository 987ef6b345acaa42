package state

import (
	"strings"
	"testing"
)

// FuzzDecodeRights reads arbitrary values as accounts, teams, tokens and logins.
// What is taken must keep to the limits on what is written.
func FuzzDecodeRights(f *testing.F) {
	for _, v := range []string{"", "v b {}", "v {}", `v b {"rank":7,"rights":["listen"],"teams":["t"],"agents":["*"],"extension":"1@x"}`,
		`v {"agents":["a"],"notice":{"kind":"all","every":5}}`, "sue b " + strings.Repeat("0", 64) + ` 17 {"name":"x"}`, `sue e 1 2 {"from":"x"}`, "v b {\"fullName\":\"\\u202e\"}"} {
		f.Add("sue", v)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if a, err := decodeAccount(name, value); err == nil {
			if a.Name != name || name == "operator" || a.Rights == nil || a.Teams == nil || a.Agents == nil || a.Version == "" || a.Birth == "" {
				t.Errorf("%+v", a.Account)
			}
			if text, err := encode("account", a.Account); err == nil {
				if again, err := decodeAccount(name, a.Version+" "+a.Birth+" "+text); err != nil || again.Extension != a.Extension || len(again.Agents) != len(a.Agents) {
					t.Errorf("%q is not read back: %v", text, err)
				}
			}
			_ = a.readSecrets(value)
		}
		if x, version, err := decodeTeam(name, value); err == nil {
			if x.Name != name || x.Agents == nil || version == "" || checkTeam(x) != nil {
				t.Errorf("%+v", x)
			}
		}
		if x, err := decodeToken(name, value); err == nil && (x.ID != name || len(x.Hash) != 64 || x.Account == "") {
			t.Errorf("%+v", x)
		}
		if l, err := decodeLogin(value); err == nil && (l.Account == "" || l.epoch == "" || l.value != value) {
			t.Errorf("%+v", l)
		}
		if x := foldExtension(name); foldExtension(x) != x {
			t.Errorf("%q", x)
		}
	})
}
