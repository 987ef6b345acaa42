package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"livemon/fsconf"
	"livemon/internal/api/apitest"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

// makeAudit is an export of n records, of sessions s1 and so on, which are the
// same each time, and its head.
func makeAudit(ts *testscript.TestScript, n int) (text []byte, head string) {
	ctx := context.Background()
	s, err := state.Open(ctx, "embedded", state.Options{})
	ts.Check(err)
	for i := range n {
		_, err := s.AppendAudit(ctx, wire.AuditRecord{Time: apitest.Start, Event: "requested", Session: fmt.Sprint("s", i+1), Supervisor: "boss", Agent: fmt.Sprint("anna", i%2)})
		ts.Check(err)
	}
	var out bytes.Buffer
	ts.Check(s.ExportAudit(ctx, wire.AuditFilter{}, &out))
	h, err := s.AuditHead(ctx)
	ts.Check(err)
	ts.Check(s.Close())
	return out.Bytes(), h.Head
}

// TestAuditOfAService has a service record refusals, and somebody who has Redis
// take one away; and retention remove what was recorded long ago.
func TestAuditOfAService(t *testing.T) {
	t.Parallel()
	sim, err := switchsim.Start(t.Context(), switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults())})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	server := miniredis.RunT(t)
	defer letTimePass(server)()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()
	const stream = "livemon:{audit}:stream"
	add := func(id string, values any) {
		if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, ID: id, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		add(strconv.Itoa(i+1)+"-0", []string{"r", `{"id":"","time":"2020-03-01T09:30:00Z","event":"requested"}`})
	}
	serve := []string{"serve", "--redis", "redis://" + server.Addr(), "--listen", "127.0.0.1:0", "--outbound", "", "--freeswitch", "sim=" + sim.Addr(),
		"--never-monitor", "1001*", "--log-json"}
	p := spawn(t, serve)
	refused := func() int {
		p.run("monitor", "1001", "--phone", "1002")
		out, _ := p.run("audit", "--json")
		return strings.Count(out, `"event": "refused"`)
	}
	if _, err := sim.CallFrom(t.Context(), "5550100", "1001"); err != nil {
		t.Fatal(err)
	}
	wait(t, "three refusals are recorded", func() bool { return refused() >= 3 })

	p.must(t, "audit", "verify")
	head, _ := p.run("audit", "head")
	out, _ := p.run("audit", "verify", "--head", head)
	if !strings.Contains(out, "5 records are older than the chain") || !strings.Contains(out, "the noted head "+head+" is part of this chain") || !strings.Contains(out, "as it was written") {
		t.Errorf("%s", out)
	}
	whole := filepath.Join(t.TempDir(), "whole.jsonl")
	text, ok := p.run("audit", "export")
	if err := os.WriteFile(whole, []byte(text+"\n"), 0o600); err != nil || !ok {
		t.Fatal(err, text)
	}
	if out, err := exec.Command("livemon", "audit", "verify", "--file", whole, "--head", head).Output(); err != nil {
		t.Errorf("the export: %v\n%s", err, out)
	}
	p.kill(t)

	second := spawn(t, append(serve, "--audit-keep", "90d"))
	wait(t, "what is old is removed", func() bool {
		list, err := client.XRangeN(t.Context(), stream, "-", "+", 1).Result()
		return err == nil && len(list) > 0 && list[0].ID != "1-0"
	})
	out, ok = second.run("audit", "verify", "--head", head)
	if !ok || strings.Contains(out, "older than the chain") {
		t.Errorf("%s", out)
	}
	// Without the head beside the stream nobody can tell whether its end is missing.
	kept, err := client.GetDel(t.Context(), "livemon:{audit}:head").Result()
	if err != nil {
		t.Fatal(err)
	}
	if out, ok := second.run("audit", "verify"); ok || !strings.Contains(out, "WRONG head:") || !strings.Contains(out, "NOT confirmed") {
		t.Errorf("%s", out)
	}
	if err := client.Set(t.Context(), "livemon:{audit}:head", kept, 0).Err(); err != nil {
		t.Fatal(err)
	}
	out, _ = second.run("audit", "--json")
	if !strings.Contains(out, `"event": "trimmed"`) {
		t.Errorf("the removal is not recorded: %s", out)
	}

	list, err := client.XRangeN(t.Context(), stream, "-", "+", 2).Result()
	if err != nil || len(list) != 2 || client.XDel(t.Context(), stream, list[1].ID).Err() != nil {
		t.Fatal(err, list)
	}
	out, ok = second.run("audit", "verify", "--json")
	var report wire.AuditReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || ok || report.OK || len(report.Problems) != 1 || report.Problems[0].Kind != "missing" || report.Problems[0].Seq != 2 {
		t.Errorf("ok %v, %v\n%s", ok, err, out)
	}
	out, ok = second.run("audit", "verify")
	if ok || !strings.Contains(out, "WRONG missing: record 2 is missing") || !strings.Contains(out, "NOT as it was written") {
		t.Errorf("ok %v\n%s", ok, out)
	}
	if out, ok := second.run("audit", "export", "--until", "2021-01-01T00:00:00Z"); !ok || strings.Count(out, "\n") != 1 {
		t.Errorf("%s", out)
	}
}
