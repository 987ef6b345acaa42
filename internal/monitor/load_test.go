package monitor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

const (
	loadAgents = 2000
	loadRate   = 200 // calls a second
	loadFirst  = 10000
)

// BenchmarkLoad keeps the state of 2,000 agents, all of them on calls, up to
// date while 200 calls a second end and as many begin, and reports how much of a
// core and of memory the whole process takes, the event source included. Each
// iteration is a call that ends and one that begins.
func BenchmarkLoad(b *testing.B) {
	begin, end := recordCall(b)
	src := newSource(b)
	defer src.close()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	store, err := state.Open(ctx, benchRedis(b), state.Options{Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	svc, err := New(Config{Nodes: []NodeConfig{{Name: "load", Addr: src.addr(), Password: "x"}}, Logger: log}, store)
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := svc.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	until := func(what string, ok func() bool) {
		b.Helper()
		deadline := time.Now().Add(60 * time.Second)
		for !ok() {
			if time.Now().After(deadline) {
				b.Fatal(what)
			}
			pause(ctx, 20*time.Millisecond, nil)
		}
	}
	until("the agents are not known", func() bool { a, _ := svc.Agents(ctx); return len(a) == loadAgents })

	calls := make([]int, loadAgents) // which call each agent is on
	next := 0
	call := func(agent int) {
		calls[agent] = next
		src.emit(begin.fill(agent, next))
		next++
	}
	for i := range loadAgents {
		call(i)
	}
	stored := func() bool {
		agents, err := store.Agents(ctx, "load")
		if err != nil || len(agents) != loadAgents {
			return false
		}
		for _, a := range agents {
			n, _ := strconv.Atoi(strings.TrimSuffix(a.Agent, "@127.0.0.1"))
			if a.State != wire.OnCall || a.User != userNumber(calls[n-loadFirst]) {
				return false
			}
		}
		return true
	}
	until("the first calls are not stored", stored)

	before, began := cpuTime(b), time.Now()
	i := 0
	for b.Loop() {
		agent := i % loadAgents
		src.emit(end.fill(agent, calls[agent]))
		call(agent)
		i++
		if ahead := time.Until(began.Add(time.Duration(i) * time.Second / loadRate)); ahead > 0 {
			pause(ctx, ahead, nil)
		}
	}
	elapsed := time.Since(began)
	cores := float64(cpuTime(b)-before) / float64(elapsed)
	b.ReportMetric(float64(i)/elapsed.Seconds(), "calls/s")
	b.ReportMetric(float64(i*(begin.events+end.events))/elapsed.Seconds(), "events/s")
	b.ReportMetric(cores, "cores")
	b.ReportMetric(residentMB(b), "MB")
	until("the last calls are not stored", stored)
	b.Logf("%d agents, %.0f calls/s, %.0f events/s: %.2f of a core, %.0f MB", loadAgents, float64(i)/elapsed.Seconds(),
		float64(i*(begin.events+end.events))/elapsed.Seconds(), cores, residentMB(b))
}

func userNumber(call int) string { return strconv.Itoa(5_000_000 + call) }

// template is the events of a part of a call as they stand on the wire.
type template struct {
	text   []byte
	events int
	a, b   string
}

// fill makes the events of another call: ids keep their length, so that the
// lengths of the events do not change.
func (t template) fill(agent, call int) []byte {
	id := func(x byte) string { return fmt.Sprintf("%08x-0000-4000-8000-00000000000%c", call, x) }
	return []byte(strings.NewReplacer(t.a, id('a'), t.b, id('b'), "5550100", userNumber(call), "10099", strconv.Itoa(loadFirst+agent)).Replace(string(t.text)))
}

// recordCall records the events of a call on the simulated switch, up to the
// bridge and from the hangup on.
func recordCall(b *testing.B) (begin, end template) {
	b.Helper()
	sim, err := switchsim.Start(b.Context(), switchsim.Options{Users: []string{"10099"}})
	if err != nil {
		b.Fatal(err)
	}
	defer sim.Close()
	conn, err := net.Dial("tcp", sim.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "auth ClueCon\n\nevent plain %s\n\n", strings.Join(subscribedEvents(), " "))
	r := bufio.NewReader(conn)
	read := func(last string, times int) template {
		var t template
		for times > 0 {
			frame, ok := readFrame(b, r)
			if !ok {
				continue
			}
			t.text = append(t.text, frame...)
			t.events++
			if bytes.Contains(frame, []byte("Event-Name: "+last+"\n")) {
				times--
			}
		}
		return t
	}
	c, err := sim.CallFrom(b.Context(), "5550100", "10099")
	if err != nil {
		b.Fatal(err)
	}
	begin = read("CHANNEL_BRIDGE", 1)
	if err := sim.Hangup(c.A, ""); err != nil {
		b.Fatal(err)
	}
	end = read("CHANNEL_HANGUP_COMPLETE", 2)
	begin.a, begin.b, end.a, end.b = c.A, c.B, c.A, c.B
	return begin, end
}

// readFrame reads one message; ok is whether it was an event.
func readFrame(b *testing.B, r *bufio.Reader) (frame []byte, ok bool) {
	b.Helper()
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		frame = append(frame, line...)
		if v, is := bytes.CutPrefix(line, []byte("Content-Length: ")); is {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
		}
		ok = ok || bytes.HasPrefix(line, []byte("Content-Type: text/event-plain"))
		if len(line) == 1 {
			break
		}
	}
	for range length {
		c, err := r.ReadByte()
		if err != nil {
			b.Fatal(err)
		}
		frame = append(frame, c)
	}
	return frame, ok
}

// source is an event socket that answers next to nothing and sends what it is told.
type source struct {
	b     *testing.B
	ln    net.Listener
	users string
	wg    sync.WaitGroup
	mu    sync.Mutex
	subs  []net.Conn
	conns []net.Conn
}

func newSource(b *testing.B) *source {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &source{b: b, ln: ln}
	var users strings.Builder
	users.WriteString("userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n")
	for i := range loadAgents {
		fmt.Fprintf(&users, "%d|default|127.0.0.1|default|error/user_not_registered||||\n", loadFirst+i)
	}
	users.WriteString("\n+OK\n")
	s.users = users.String()
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *source) addr() string { return s.ln.Addr().String() }

func (s *source) close() {
	s.ln.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *source) emit(events []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.subs {
		if _, err := c.Write(events); err != nil {
			s.b.Error(err)
		}
	}
}

func (s *source) serve(conn net.Conn) {
	fmt.Fprint(conn, "Content-Type: auth/request\n\n")
	r := bufio.NewScanner(conn)
	for r.Scan() {
		line := r.Text()
		s.mu.Lock()
		switch word, arg, _ := strings.Cut(line, " "); word {
		case "":
		case "api":
			body := "-ERR no reply\n"
			switch {
			case arg == "list_users":
				body = s.users
			case strings.HasPrefix(arg, "show"):
				body = `{"row_count":0}`
			case arg == "conference json_list":
				body = "[]"
			case strings.HasPrefix(arg, "user_exists"):
				body = "false"
			case arg == "version", strings.HasPrefix(arg, "global_getvar"), arg == "uptime", arg == "status":
				body = "load"
			}
			fmt.Fprintf(conn, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body)
		case "event":
			if !slices.Contains(s.subs, conn) {
				s.subs = append(s.subs, conn)
			}
			fallthrough
		default:
			fmt.Fprint(conn, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
		}
		s.mu.Unlock()
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMB is the memory of this process that is in use, as the system sees it.
func residentMB(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("memory in use is not known on this system")
	}
	f := strings.Fields(string(data))
	if len(f) < 2 {
		b.Fatalf("statm: %q", data)
	}
	pages, err := strconv.Atoi(f[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / 1e6
}
