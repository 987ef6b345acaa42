package access_test

import (
	"fmt"
	"testing"

	"livemon/internal/access"
	"livemon/internal/wire"
)

// BenchmarkView looks at 2,000 agents as an account with three teams, among 200
// accounts: what is done for every reader of the panel at every change.
func BenchmarkView(b *testing.B) {
	var list []wire.Account
	var ts []wire.Team
	for i := range 3 {
		t := wire.Team{Name: fmt.Sprint("team", i), Notice: wire.Notice{Kind: wire.NoticeAll}}
		for j := range 20 {
			t.Agents = append(t.Agents, fmt.Sprintf("%d%02d?", i, j))
		}
		ts = append(ts, t)
	}
	for i := range 200 {
		list = append(list, wire.Account{Name: fmt.Sprint("account", i), Extension: fmt.Sprint(9000 + i), Rank: i % 100, Rights: wire.Actions(), Teams: []string{"team0", "team1", "team2"}})
	}
	r := access.Compile(list, ts, access.Config{Never: access.Never{Agents: []string{"ceo*"}, Numbers: []string{"*110"}}})
	var agents []wire.Agent
	for i := range 2000 {
		agents = append(agents, wire.Agent{Agent: fmt.Sprintf("agent %d", i), Extension: fmt.Sprintf("%04d@example.com", i), User: "+493012345678"})
	}
	actor := wire.Actor{Account: "account50"}
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		for _, a := range agents {
			if _, ok := r.View(actor, a); ok {
				seen++
			}
		}
		if seen != 400 {
			b.Fatal(seen)
		}
	}
}
