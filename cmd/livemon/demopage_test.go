package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemoPage logs in with what the demonstration prints, and sees its agents.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, printed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := newApp(strings.NewReader(""), printed, os.Stderr).RunContext(ctx, []string{"livemon", "demo", "--panel", "--listen", addr})
		_ = printed.Close()
		done <- err
	}()
	text := make(chan string, 1)
	go func() {
		buf := make([]byte, 4096)
		n, _ := out.Read(buf)
		text <- string(buf[:n])
		_, _ = io.Copy(io.Discard, out)
	}()
	defer func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	}()
	var said string
	select {
	case said = <-text:
	case <-time.After(patience):
		t.Fatal("it prints nothing")
	}
	word := func(re string) string {
		m := regexp.MustCompile(re).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("there is no %s in %q", re, said)
		}
		return m[1]
	}
	page, name, password := word(`(http://\S+/)\n`), word(`name +(\S+)`), word(`password +(\S+)`)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	defer client.CloseIdleConnections()
	read := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
		return string(body)
	}
	form := regexp.MustCompile(`name="token" value="(\w+)"`).FindStringSubmatch(read(client.Get(page)))
	if form == nil {
		t.Fatal("there is no form")
	}
	read(client.PostForm(page+"login", url.Values{"name": {name}, "password": {password}, "token": {form[1]}}))
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		agents := read(client.Get(page + "v1/agents"))
		if strings.Count(agents, `"agent"`) == 6 && strings.Contains(agents, `"state":"on-call"`) && strings.Contains(agents, `"queue":"support@default"`) {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are no calls: %s", agents)
		}
	}
}
