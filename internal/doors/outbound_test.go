package doors_test

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/fsconf"
	"livemon/internal/switchsim"
)

// TestForeignOutboundServer has a process of somebody else's listen where
// supervisors who dial in are sent, as anybody on that machine can while 'serve'
// is down. The switch gives it that one call, and none of its commands.
func TestForeignOutboundServer(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	settings := fsconf.Defaults()
	settings.Outbound = ln.Addr().String()
	h := build(t, func(o *options) {
		o.cfg.Outbound = ""
		full := strings.Contains(fsconf.DialplanXML(settings), "full")
		o.sim.Dialplan = []switchsim.DialplanEntry{{Prefix: feature, Outbound: settings.Outbound, Full: full}}
	})
	call := h.call("5550100", "1001")
	leg := h.dial("1002", "1001")
	conn, err := ln.Accept()
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	r := bufio.NewReader(conn)
	ask := func(command string) textproto.MIMEHeader {
		t.Helper()
		_, err := io.WriteString(conn, command+"\n\n")
		h.must(err)
		head, err := textproto.NewReader(r).ReadMIMEHeader()
		h.must(err)
		if n, _ := strconv.Atoi(head.Get("Content-Length")); n > 0 {
			_, err = io.CopyN(io.Discard, r, int64(n))
			h.must(err)
		}
		return head
	}
	if got := ask("connect"); got.Get("Unique-ID") != leg || got.Get("Control") != "single-channel" {
		t.Fatalf("connected to %q, control %q", got.Get("Unique-ID"), got.Get("Control"))
	}
	for _, command := range []string{
		"api uuid_kill " + call.A, "bgapi uuid_kill " + call.A, "api system id", "bgapi originate user/1003 &park()",
		"sendevent CUSTOM\nEvent-Subclass: conference::maintenance\nAction: dtmf", "event plain ALL", "log 7", "linger",
	} {
		if got := ask(command).Get("Reply-Text"); !strings.HasPrefix(got, "-ERR") {
			t.Errorf("%q is answered %q", command, got)
		}
	}
	h.rest()
	if !h.bridgedWith(call) || h.sim.Leg("1003") != "" {
		t.Errorf("a command was carried out: %+v", h.sim.Channels())
	}
}
