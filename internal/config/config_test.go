package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/fsconf"
	"livemon/internal/config"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "livemon.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsAreValid(t *testing.T) {
	c, err := config.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got, want := c.Settings(), fsconf.Defaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	want := []config.Node{{Name: "127.0.0.1:8021", Addr: "127.0.0.1:8021", Password: "ClueCon"}}
	if !slices.Equal(c.FreeSWITCH, want) || c.Listen != "127.0.0.1:8090" || c.Redis != "redis://127.0.0.1:6379/0" || c.Outbound != "127.0.0.1:8084" {
		t.Errorf("%+v", c)
	}
}

func TestAFileReplacesWhatItNamesAndNothingElse(t *testing.T) {
	c, err := config.Load(write(t, `
freeswitch:
  - {name: east, addr: "10.0.0.5:8021", password: secret}
  - {addr: "[::1]:8021"}
password: other
redis: embedded
outbound: ""
dial:
  - {match: '\+?\d{7,15}', to: sofia/gateway/mygw/$0}
keys: {coach: ["9#"]}
fsconf: {inter-digit: 2s}
never-monitor: ["boss*"]
trust-caller-id: true
ring-timeout: 45s
log-json: true
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.FreeSWITCH = []config.Node{{Name: "east", Addr: "10.0.0.5:8021", Password: "secret"}, {Name: "[::1]:8021", Addr: "[::1]:8021", Password: "other"}}
	want.Password, want.Redis, want.Outbound = "other", "embedded", ""
	want.Dial = []config.DialRule{{Match: `\+?\d{7,15}`, To: "sofia/gateway/mygw/$0"}}
	want.Keys.Coach, want.Keys.Say, want.FSConf.InterDigit = []string{"9#"}, []string{}, 2*time.Second
	want.NeverMonitor, want.TrustCallerID, want.RingTimeout, want.LogJSON = []string{"boss*"}, true, 45*time.Second, true
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant %+v", c, want)
	}
	if s := c.Settings(); s.DialIn != "" {
		t.Errorf("without an outbound socket there is a dial-in extension: %+v", s)
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"unknown field":         "freeswich: []",
		"unknown field of node": "freeswitch: [{adr: x}]",
		"unknown key action":    "keys: {whisper: ['4#']}",
		"repeated field":        "listen: a\nlisten: b",
		"two documents":         "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2",
		"not a map":             "- a",
		"wrong type":            "ring-timeout: soon",
		"not YAML":              "a: [",
		"too large":             strings.Repeat("#", 1<<20+1),
	} {
		if _, err := config.Load(write(t, content)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := config.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if c, err := config.Load(write(t, "")); err != nil || !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("an empty file: %v %+v", err, c)
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	for _, c := range []struct {
		setting string
		change  func(*config.Config)
	}{
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = nil }},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Addr: "localhost"}} }},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Addr: ":8021"}} }},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Addr: "a:0"}} }},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Addr: "a\nb:1"}} }},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Addr: "a:1"}, {Addr: "a:1"}} }},
		{"freeswitch", func(c *config.Config) {
			c.FreeSWITCH = []config.Node{{Name: "x", Addr: "a:1"}, {Name: "x", Addr: "b:1"}}
		}},
		{"freeswitch", func(c *config.Config) { c.FreeSWITCH = []config.Node{{Name: "a b", Addr: "a:1"}} }},
		{"password", func(c *config.Config) { c.Password = "" }},
		{"password", func(c *config.Config) { c.Password = "a\nb" }},
		{"redis", func(c *config.Config) { c.Redis = "localhost:6379" }},
		{"redis", func(c *config.Config) { c.Redis = "http://x" }},
		{"redis", func(c *config.Config) { c.Redis = "" }},
		{"listen", func(c *config.Config) { c.Listen = "" }},
		{"listen", func(c *config.Config) { c.Listen = "127.0.0.1:65536" }},
		{"outbound", func(c *config.Config) { c.Outbound = "8084" }},
		{"fsconf: socket", func(c *config.Config) { c.Outbound = "0.0.0.0:8084" }},
		{"dial", func(c *config.Config) { c.Dial = []config.DialRule{{Match: "(", To: "x"}} }},
		{"dial", func(c *config.Config) { c.Dial = []config.DialRule{{Match: "a", To: " "}} }},
		{"dial", func(c *config.Config) { c.Dial = []config.DialRule{{Match: "a", To: "x\n"}} }},
		{"dial", func(c *config.Config) { c.Dial = []config.DialRule{{Match: "(a)", To: "$2"}} }},
		{"never-monitor", func(c *config.Config) { c.NeverMonitor = []string{"[a"} }},
		{"never-monitor", func(c *config.Config) { c.NeverMonitor = []string{""} }},
		{"never-numbers", func(c *config.Config) { c.NeverNumbers = []string{"*"} }},
		{"never-numbers", func(c *config.Config) { c.NeverNumbers = []string{""} }},
		{"never-numbers", func(c *config.Config) { c.NeverNumbers = []string{"1\n2"} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"a b"} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"=x"} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"a="} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"a=b\nc"} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"${system(x)}"} }},
		{"tls-cert", func(c *config.Config) { c.TLSCert = "c.pem" }},
		{"tls-cert", func(c *config.Config) { c.TLSKey = "k.pem" }},
		{"trusted-proxies", func(c *config.Config) { c.TrustedProxies = []string{"proxy.example.com"} }},
		{"trusted-proxies", func(c *config.Config) { c.TrustedProxies = []string{"::/0"} }},
		{"trusted-proxies", func(c *config.Config) { c.TrustedProxies = []string{"fe80::1%eth0"} }},
		{"trusted-proxies", func(c *config.Config) { c.TrustedProxies = []string{"::ffff:10.0.0.0/104"} }},
		{"trusted-proxies", func(c *config.Config) { c.TrustedProxies = []string{"10.0.0.1", ""} }},
		{"trusted-presence", func(c *config.Config) { c.TrustedPresence = []string{"phones.example.com"} }},
		{"trusted-presence", func(c *config.Config) { c.TrustedPresence = []string{"0.0.0.0/0"} }},
		{"never-marks", func(c *config.Config) { c.NeverMarks = []string{"livemon_never", "SIP_h_X-Private=yes"} }},
		{"dial-in-pin", func(c *config.Config) { c.DialInPIN = "" }},
		{"ring-timeout", func(c *config.Config) { c.RingTimeout = 30 }},
		{"ring-timeout", func(c *config.Config) { c.RingTimeout = time.Hour }},
		{"log-level", func(c *config.Config) { c.LogLevel = "loud" }},
		{"keys: coach", func(c *config.Config) { c.Keys.Coach = nil }},
		{"fsconf: rate", func(c *config.Config) { c.FSConf.Rate = 1 }},
	} {
		cfg := config.Default()
		c.change(&cfg)
		var e *config.Error
		if err := cfg.Validate(); !errors.As(err, &e) || e.Setting != c.setting {
			t.Errorf("want %s, got %v", c.setting, err)
		}
	}
}

func TestProxiesAreNetworks(t *testing.T) {
	c := config.Default()
	c.TrustedProxies = []string{"10.1.2.3", "192.0.2.9/24", "::1", "fd00::/8", "::ffff:10.0.0.1"}
	got, err := c.Proxies()
	if want := "[10.1.2.3/32 192.0.2.0/24 ::1/128 fd00::/8 10.0.0.1/32]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v", got, err)
	}
	c.TrustedPresence = []string{"10.1.2.3", "fd00::/8"}
	if got, err := c.Presence(); err != nil || fmt.Sprint(got) != "[10.1.2.3/32 fd00::/8]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWhatIsPrintedHoldsNoPassword(t *testing.T) {
	c := config.Default()
	c.Password = "hunter2"
	c.FreeSWITCH = []config.Node{{Name: "a", Addr: "a:1", Password: "hunter2"}}
	for _, u := range []string{
		"redis://user:hunter2@a:1/0", "redis://:hunter2/x?y@a:1", "redis+sentinel://:hunter2@a,b/m?sentinel_password=hunter2",
		"redis://a:1?password=hunter2", "redis://a?x=%zz&password=hunter2",
	} {
		c.Redis = u
		data, err := c.YAML()
		if err != nil || strings.Contains(string(data), "hunter2") {
			t.Errorf("%s: %v\n%s", u, err, data)
		}
	}
	if c.FreeSWITCH[0].Password != "hunter2" {
		t.Error("the configuration itself lost its password")
	}
	c.Redis = "redis://a:1/0"
	data, _ := c.YAML()
	again := config.Config{}
	if err := config.Parse(data, &again); err != nil || again.Redis != c.Redis || !reflect.DeepEqual(again.Keys, c.Keys) {
		t.Errorf("what is printed is no configuration: %v\n%s", err, data)
	}
}

func TestDialStrings(t *testing.T) {
	plan, err := config.CompileDial([]config.DialRule{
		{Match: `\d{2,6}`, To: "user/$0"},
		{Match: `9(\d+)`, To: "{a=${b},c=$${domain}}sofia/gateway/gw/$1@host$"},
		{Match: `(a)(b)?`, To: "x/$1$2"},
		{Match: `(\d+)@pbx`, To: "user/$1@pbx"},
		{Match: `any.*|[+*].*|.*@.*`, To: "any/$0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]string{
		"1002":                     "user/1002",
		"91234567":                 "{a=${b},c=$${domain}}sofia/gateway/gw/1234567@host$",
		"ab":                       "x/ab",
		"a":                        "x/a",
		"77@pbx":                   "user/77@pbx",
		"+49*12#3":                 "any/+49*12#3",
		"anyone.x_y-z":             "any/anyone.x_y-z",
		"any one":                  "",
		"any,user/1":               "",
		"any{x}":                   "",
		"any[x]":                   "",
		"any|x":                    "",
		"any$1":                    "",
		"any@evil":                 "", // would send the call elsewhere
		"anyé":                     "",
		"any\n1":                   "",
		"1":                        "", // no rule
		"":                         "",
		"1002\n":                   "",
		"x1002":                    "",
		strings.Repeat("any", 100): "",
	} {
		got, err := plan.DialString(number)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", number, got, err, want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.10q: a message of %d bytes", number, len(err.Error()))
		}
	}
}

func FuzzDialString(f *testing.F) {
	for _, s := range []string{"1002", "+491234", "1,2", "{a=b}1", "$0", "a@b", "[x]", "a|b", "a b", "\x00"} {
		f.Add(s)
	}
	plan, err := config.CompileDial([]config.DialRule{{Match: `(?s)(.)(.*)`, To: "user/$1$2"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, number string) {
		got, err := plan.DialString(number)
		if err == nil && (got != "user/"+number || strings.ContainsAny(got, ",{}[]|$ @&'\"\\\r\n\x00")) {
			t.Fatalf("%q is dialled as %q", number, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: 127.0.0.1:8090\nkeys: {coach: ['4#']}"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("freeswitch: [{addr: x}]\n---\n"))
	f.Add([]byte("ring-timeout: 9999999h"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := config.Default()
		if config.Parse(data, &c) != nil {
			return
		}
		if c.Validate() != nil {
			return
		}
		if _, err := c.YAML(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseNodeAndRule(t *testing.T) {
	if n := config.ParseNode("east=10.0.0.5:8021"); n.Name != "east" || n.Addr != "10.0.0.5:8021" {
		t.Errorf("%+v", n)
	}
	if n := config.ParseNode("10.0.0.5:8021"); n.Name != "" || n.Addr != "10.0.0.5:8021" {
		t.Errorf("%+v", n)
	}
	r, err := config.ParseDialRule(`\d{2,6}={a=b}user/$0`)
	if err != nil || r.Match != `\d{2,6}` || r.To != "{a=b}user/$0" {
		t.Errorf("%+v %v", r, err)
	}
	for _, s := range []string{"", "x", "=x", "x="} {
		if _, err := config.ParseDialRule(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestTokenPath(t *testing.T) {
	env := func(kv ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == name {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		uid  int
		env  func(string) string
		want string
	}{
		{0, env("XDG_RUNTIME_DIR", "/run/user/0"), "/run/livemon/token"},
		{1000, env("XDG_RUNTIME_DIR", "/run/user/1000", "HOME", "/home/a"), "/run/user/1000/livemon/token"},
		{1000, env("XDG_RUNTIME_DIR", "relative", "XDG_STATE_HOME", "/s"), "/s/livemon/token"},
		{1000, env("HOME", "/home/a"), "/home/a/.local/state/livemon/token"},
		{1000, env(), ""},
	} {
		if got, err := config.TokenPath(c.uid, c.env); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q %v, want %q", got, err, c.want)
		}
	}
}

func TestSecretPath(t *testing.T) {
	for _, c := range []struct {
		uid  int
		env  map[string]string
		want string
	}{
		{0, map[string]string{"HOME": "/root"}, "/var/lib/livemon/secret"},
		{1000, map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/home/a"}, "/s/livemon/secret"},
		{1000, map[string]string{"XDG_STATE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/state/livemon/secret"},
		{1000, nil, ""},
	} {
		if got, err := config.SecretPath(c.uid, func(name string) string { return c.env[name] }); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q %v, want %q", got, err, c.want)
		}
	}
}

func TestTheTokenIsMadeOnceAndForOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "token")
	if _, err := config.ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	var wg sync.WaitGroup
	tokens := make([]string, 8)
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], err = config.EnsureToken(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(tokens[0]) != 64 || slices.ContainsFunc(tokens, func(s string) bool { return s != tokens[0] }) {
		t.Errorf("%q", tokens)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if dir, _ := os.Stat(filepath.Dir(path)); dir.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v", dir.Mode())
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if got, err := config.ReadToken(path); err != nil || got != tokens[0] {
		t.Errorf("%q %v", got, err)
	}
}

func TestATokenThatOthersMayKnowIsRefused(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte(strings.Repeat("x", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	blank := filepath.Join(dir, "blank")
	if err := os.WriteFile(blank, []byte("0123456789 0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{open, link, short, blank, dir} {
		if _, err := config.EnsureToken(path); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}
