package browsertest

import (
	"fmt"
	"time"

	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

// newFake is a service that does only what a test tells it to.
func newFake() *apitest.Fake { return apitest.New() }

// crowd makes n agents, one in three of them on a call.
func crowd(n int) []wire.Agent {
	out := make([]wire.Agent, n)
	for i := range out {
		a := wire.Agent{Agent: fmt.Sprintf("agent-%04d@example.com", i), State: wire.Idle, Since: time.Now().Add(-time.Duration(i) * time.Second), Node: fmt.Sprintf("pbx%d", i%4), Supervisors: []wire.Supervisor{}}
		if i%3 == 0 {
			a.State, a.Call, a.User, a.Direction, a.Queue = wire.OnCall, fmt.Sprintf("call-%d", i), fmt.Sprintf("+1555%07d", i), "inbound", "support"
		}
		out[i] = a
	}
	return out
}
