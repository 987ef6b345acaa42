package state_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"livemon/state"
)

func TestURLs(t *testing.T) {
	single := func(addr string, db int) func(*testing.T, redis.UniversalClient) {
		return func(t *testing.T, c redis.UniversalClient) {
			o := c.(*redis.Client).Options()
			if o.Addr != addr || o.DB != db || o.MaxRetries != 1 || !o.ContextTimeoutEnabled {
				t.Errorf("%s, database %d", o.Addr, o.DB)
			}
		}
	}
	cluster := func(addrs string, secure bool) func(*testing.T, redis.UniversalClient) {
		return func(t *testing.T, c redis.UniversalClient) {
			o := c.(*redis.ClusterClient).Options()
			if got := strings.Join(o.Addrs, ","); got != addrs || (o.TLSConfig != nil) != secure {
				t.Errorf("%s, TLS %v", got, o.TLSConfig != nil)
			}
		}
	}
	good := map[string]func(*testing.T, redis.UniversalClient){
		"redis://localhost":                                  single("localhost:6379", 0),
		"redis://h:1/2":                                      single("h:1", 2),
		"redis://user:pa,ss@h:1/2":                           single("h:1", 2),
		"redis://[::1]:7/1?read_timeout=2s":                  single("[::1]:7", 1),
		"rediss://h":                                         single("h:6379", 0),
		"unix:///run/redis/redis.sock?db=3":                  single("/run/redis/redis.sock", 3),
		"redis+sentinel://h1,h2:1/main":                      single("FailoverClient", 0),
		"redis+sentinel://u:p@h1/main/4?sentinel_password=x": single("FailoverClient", 4),
		"rediss+sentinel://h1/main/4?sentinel_username=x":    single("FailoverClient", 4),
		"redis+cluster://h1":                                 cluster("h1:6379", false),
		"redis+cluster://u:p@h1:1,h2,[::1]:3,[::2]":          cluster("h1:1,h2:6379,[::1]:3,[::2]:6379", false),
		"rediss+cluster://h1,h2":                             cluster("h1:6379,h2:6379", true),
		"redis://h1,h2":                                      cluster("h1:6379,h2:6379", false),
		"redis://user:secret@h1,h2":                          cluster("h1:6379,h2:6379", false),
	}
	for url, check := range good {
		s, err := state.Open(context.Background(), url, state.Options{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if s.Embedded() {
			t.Errorf("%s is embedded", url)
		}
		t.Run(url, func(t *testing.T) { check(t, s.Client()) })
		must(t, s.Close())
	}
	for _, url := range []string{
		"", "localhost", "localhost:6379", "Embedded", "http://h", "://", "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h?what=1", "unix://",
		"redis://u:secret@h:port", "redis://u:sec/ret@h", "redis://u:secret%zz@h", "redis+cluster://", "redis+cluster://h1,,h2", "redis+cluster://h1:0",
		"redis+cluster://h1:99999", "redis+cluster://h1:1:2", "redis+cluster://h1/2", "redis+cluster://h1?x=1", "redis+cluster://h 1", "redis+cluster://h1\r\n",
		"redis+sentinel://h1", "redis+sentinel://h1/", "redis+sentinel://h1/main/x", "redis+sentinel://h1/main/-1", "redis+sentinel://h1/main/1/2",
		"redis+sentinel://u:secret@h1/main?secret=1", "redis+sentinel://h1/main#secret", "redis+sentinel://h1/main?%zz",
	} {
		s, err := state.Open(context.Background(), url, state.Options{})
		if s != nil {
			t.Errorf("%q is taken", url)
			must(t, s.Close())
		}
		wants(t, err, state.ErrURL)
		if err != nil && strings.Contains(err.Error(), "secret") && !strings.Contains(url, "?secret") {
			t.Errorf("%q is quoted: %v", url, err)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, url := range []string{"embedded", "redis://u:p@h:1/2?db=3", "unix:///s", "redis+cluster://[::1],h:2", "redis+sentinel://h1,h2/main/3?sentinel_password=x"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		s, err := state.Open(context.Background(), url, state.Options{})
		if (s == nil) != (err != nil) {
			t.Fatalf("%v and %v", s, err)
		}
		if err != nil {
			wants(t, err, state.ErrURL)
			return
		}
		must(t, s.Close())
	})
}
