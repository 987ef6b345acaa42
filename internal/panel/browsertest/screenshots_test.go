package browsertest

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"livemon/internal/guard"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// TestScreenshots makes the pictures of docs/panel.md, in the folder that
// LIVEMON_SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("LIVEMON_SCREENSHOTS")
	if dir == "" {
		t.Skip("LIVEMON_SCREENSHOTS names no folder")
	}
	var agents []switchsim.CCAgent
	for _, a := range []struct{ name, extension, status string }{
		{"support-1", "1001", ""}, {"support-2", "1002", ""}, {"support-3", "1003", ""}, {"support-4", "1004", ""},
		{"sales-1", "1005", ""}, {"sales-2", "1006", ""}, {"sales-3", "1007", "Logged Out"},
	} {
		agents = append(agents, switchsim.CCAgent{Name: a.name, Contact: "user/" + a.extension + "@example.com", Status: a.status, Queues: []string{a.name[:len(a.name)-2] + "@default"}, WrapUp: time.Hour})
	}
	h := build(t, func(s *switchsim.Options, _ *monitor.Config) {
		s.Domain, s.Agents = "example.com", agents
		s.Users = []string{"1001", "1002", "1003", "1004", "1005", "1006", "1007", "1021", "1022", "1023"}
	})
	theirs := &[]string{"support-*", "sales-*"}
	h.account("lead", func(c *wire.AccountChange) {
		c.Agents, c.Extension, c.Admin, c.FullName = theirs, ptr("1021"), ptr(true), ptr("Team lead")
	})
	h.account("trainer", func(c *wire.AccountChange) { c.Agents, c.Extension = theirs, ptr("1022") })
	for _, e := range []wire.Extension{{Number: "1021", Name: "desk"}, {Number: "1022", Name: "training room"}, {Number: "1023", Name: "meeting room"}} {
		_, err := h.svc.AddExtension(h.operator(), e)
		h.must(err)
	}
	state := func(agent string, s wire.AgentState) {
		t.Helper()
		h.until(agent+" is "+string(s), func() bool {
			a, ok := h.agent(agent)
			return ok && a.State == s
		})
	}
	call := func(number, agent string) switchsim.Call {
		t.Helper()
		c, err := h.sim.CallQueue(t.Context(), number, agent[:len(agent)-2]+"@default", agent)
		h.must(err)
		state(agent, wire.OnCall)
		return c
	}
	wrapped := call("+15550142", "support-3")
	h.must(h.sim.Hangup(wrapped.A, ""))
	state("support-3", wire.WrapUp)
	call("+15550118", "support-1")
	call("+15550171", "support-2")
	held := call("+15550163", "sales-1")
	h.must(h.sim.Hold(held.B))
	state("sales-1", wire.OnHold)
	h.sim.SetPhone("1006", switchsim.Behaviour{NoAnswer: true})
	ringing, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.sim.CallFrom(ringing, "+15550187", "1006") // nobody answers
	}()
	t.Cleanup(func() { stop(); <-done })
	state("sales-2", wire.AgentRinging)

	// Others have listened before, and do so now.
	svc := guard.New(h.svc, h.people)
	as := func(account string) context.Context {
		return wire.WithActor(t.Context(), wire.Actor{Account: account, Via: "panel", From: "192.0.2.17"})
	}
	start := func(account, agent, phone string) wire.Session {
		t.Helper()
		s, err := svc.StartSession(as(account), wire.MonitorRequest{Agent: agent, Phone: phone, Coaching: true})
		h.must(err)
		return s
	}
	listening := func(s wire.Session) bool { return s.Status == wire.Listening }
	h.sim.SetPhone("1023", switchsim.Behaviour{Reject: "USER_BUSY"})
	refused := start("trainer", "support-1", "1023")
	h.until("the telephone is busy", func() bool {
		s, err := h.svc.Session(h.operator(), refused.ID)
		return err == nil && s.Status == wire.Ended
	})
	h.sim.SetPhone("1023", switchsim.Behaviour{})
	for _, role := range []wire.Role{wire.Coach, wire.Barge} {
		s := start("trainer", "support-1", "1022")
		s = h.session("listens", listening)
		_, err := svc.ChangeRole(as("trainer"), s.ID, role)
		h.must(err)
		_, err = svc.StopSession(as("trainer"), s.ID)
		h.must(err)
		h.silent("1022")
	}
	trainer := start("trainer", "support-2", "1022")
	h.session("listens", listening)
	_, err := svc.ChangeRole(as("trainer"), trainer.ID, wire.Coach)
	h.must(err)

	b := h.login("lead")
	shot := func(name string, width, height int64) {
		t.Helper()
		b.size(width, height)
		b.await("the fonts are there", "document.fonts.ready.then(() => true)")
		img, err := png.Decode(bytes.NewReader(b.picture()))
		h.must(err)
		var out bytes.Buffer
		h.must((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img))
		if out.Len() > 150_000 {
			t.Errorf("%s.png has %d bytes", name, out.Len())
		}
		h.must(os.WriteFile(filepath.Join(dir, name+".png"), out.Bytes(), 0o644)) //nolint:gosec // a picture for everybody
	}
	b.scheme("light")
	b.openPanel()
	b.find("checkbox", ".*support-2")
	b.shows("(?i)coach")
	b.choose("support-1")
	shot("monitoring", 1180, 560)

	b.use("button", "live monitoring")
	b.tabTo("checkbox", "coaching enabled")
	b.keys(" ")
	shot("dialog", 1180, 620)
	b.use("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	b.closeLive()
	all, err := h.svc.Sessions(h.operator())
	h.must(err)
	mine := all[slices.IndexFunc(all, func(s wire.Session) bool { return s.Account == "lead" })]
	b.use("button", "coach")
	b.role("coach")
	b.await("the drawing follows", `[...document.querySelectorAll("section.session li")].some((l) => /support-1 hears .*you/.test(l.innerText.replaceAll(/[\u2066-\u2069]/g, "")))`)
	eval[bool](b, "(document.activeElement.blur(), scrollTo(0, 0), true)")
	shot("session", 1180, 880)
	b.scheme("dark")
	shot("dark", 1180, 880)
	b.scheme("light")
	shot("narrow", 390, 844)
	b.choose("support-2")
	eval[bool](b, `(document.activeElement.blur(), document.querySelector("#agents").scrollIntoView(), true)`)
	shot("narrow-agents", 390, 844)
	_, err = svc.StopSession(as("lead"), mine.ID)
	h.must(err)
	b.await("the session has ended", sessionShown("ended"))
	b.visit("/sessions")
	shot("sessions", 1180, 560)
}
