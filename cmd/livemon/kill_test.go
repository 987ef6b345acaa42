package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"livemon/fsconf"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// TestServeIsKilled kills the process in each role. The call and the session go
// on as they were, and the next process answers for them.
func TestServeIsKilled(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			killIn(t, role)
		})
	}
}

func killIn(t *testing.T, role wire.Role) {
	sim, err := switchsim.Start(t.Context(), switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults())})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	redis := miniredis.RunT(t)
	defer letTimePass(redis)()
	call, err := sim.CallFrom(t.Context(), "5550100", "1001")
	if err != nil {
		t.Fatal(err)
	}
	serve := []string{"serve", "--redis", "redis://" + redis.Addr(), "--listen", "127.0.0.1:0", "--outbound", "", "--freeswitch", "sim=" + sim.Addr(), "--log-json"}
	first := spawn(t, serve)
	var id string
	wait(t, "the supervisor listens", func() bool {
		out, ok := first.run("monitor", "1001", "--phone", "1002", "--coaching")
		id = out
		return ok
	})
	switch role {
	case wire.Monitor:
	case wire.TakeOver:
		first.must(t, "takeover", id)
	default:
		first.must(t, "role", id, string(role))
	}
	supervisor := sim.Leg("1002")
	heard := map[wire.Role][]string{wire.Monitor: {call.B}, wire.Coach: {call.B}, wire.Barge: {call.B, supervisor}, wire.TakeOver: {supervisor}}[role]
	slices.Sort(heard)
	same := func() bool { return slices.Equal(sim.Hears(call.A), heard) }
	wait(t, "the customer hears whom he should", same)

	first.kill(t)
	second := spawn(t, serve)
	wait(t, "the session goes on in its role", func() bool {
		var list []wire.Session
		out, ok := second.run("sessions", "--json")
		return ok && json.Unmarshal([]byte(out), &list) == nil && len(list) == 1 && list[0].ID == id && list[0].Role == role && list[0].Status == wire.Listening
	})
	wait(t, "the customer hears whom he did", same)
	if role != wire.TakeOver {
		wait(t, "the role can be changed", func() bool { _, ok := second.run("role", id, "coach"); return ok })
		wait(t, "the agent hears the supervisor", func() bool { return slices.Contains(sim.Hears(call.B), supervisor) })
		if slices.Contains(sim.Hears(call.A), supervisor) {
			t.Error("the customer hears the coach")
		}
	}
	wait(t, "the session can be stopped", func() bool { _, ok := second.run("stop", id); return ok })
	if role != wire.TakeOver {
		wait(t, "the call is a plain bridge", func() bool {
			return slices.ContainsFunc(sim.Channels(), func(c switchsim.ChannelInfo) bool { return c.UUID == call.A && c.Partner == call.B })
		})
	}
	second.kill(t)
}

// letTimePass lets the stand-in for Redis notice that time passes.
func letTimePass(redis *miniredis.Miniredis) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				redis.FastForward(100 * time.Millisecond)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// process is a livemon serve of its own.
type process struct {
	cmd *exec.Cmd
	env []string
	wg  sync.WaitGroup
}

const killToken = "0123456789abcdef0123456789abcdef"

// spawn starts it and waits until its API listens.
func spawn(t *testing.T, args []string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("livemon", args...), env: append(os.Environ(), "LIVEMON_TOKEN="+killToken)}
	p.cmd.Env = p.env
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(t) })
	api := make(chan string, 1)
	p.wg.Go(func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var entry struct{ Msg, API string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "livemon is running" {
				api <- entry.API
			}
		}
	})
	select {
	case url := <-api:
		p.env = append(p.env, "LIVEMON_API="+url)
	case <-time.After(patience):
		t.Fatal("serve does not start")
	}
	return p
}

// kill is SIGKILL.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	p.wg.Wait()
	_ = p.cmd.Wait() // killed
}

// run runs a command against the process.
func (p *process) run(args ...string) (string, bool) {
	cmd := exec.Command("livemon", args...)
	cmd.Env = p.env
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err == nil
}

func (p *process) must(t *testing.T, args ...string) {
	t.Helper()
	if out, ok := p.run(args...); !ok {
		t.Fatalf("%v: %s", args, out)
	}
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(what + ": not in time")
		}
	}
}
