package demo

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"livemon/fsconf"
	"livemon/internal/switchsim"
)

const (
	shopAgents   = 6 // extensions 1001 and on; the others in the directory are nobody's
	callsAtOnce  = 3 // agents who are on a call from the beginning
	minPause     = 5 * time.Second
	maxPause     = 40 * time.Second
	minTalk      = 45 * time.Second
	maxTalk      = 3 * time.Minute
	shopDomain   = "127.0.0.1"
	wrapUp       = 5 * time.Second
	callPatience = 10 * time.Second
)

// Shop is a simulated switch with agents whose calls come and go, for looking at
// livemon without a FreeSWITCH. Telephones 1000 to 1009 answer by themselves.
type Shop struct{ sim *switchsim.Switch }

// OpenShop starts the switch. Close it.
func OpenShop(ctx context.Context, log *slog.Logger) (*Shop, error) {
	settings := fsconf.Defaults()
	o := switchsim.Options{ConferenceXML: fsconf.ConferenceXML(settings), Domain: shopDomain, Logger: log}
	for i := range shopAgents {
		name := extensionOf(i) + "@" + shopDomain
		o.Agents = append(o.Agents, switchsim.CCAgent{Name: name, Contact: "user/" + name, Queues: []string{queueOf(i) + "@default"}, WrapUp: wrapUp})
	}
	sim, err := switchsim.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Shop{sim: sim}, nil
}

func extensionOf(i int) string { return fmt.Sprint(1001 + i) }

func queueOf(i int) string { return []string{"support", "sales"}[i%2] }

// Agents are the agents' extensions.
func (s *Shop) Agents() []string {
	var out []string
	for i := range shopAgents {
		out = append(out, extensionOf(i))
	}
	return out
}

// Addr is the address of its event socket, whose password is ClueCon.
func (s *Shop) Addr() string { return s.sim.Addr() }

// Close stops the switch.
func (s *Shop) Close() error { return s.sim.Close() }

// Run has customers call until ctx ends.
func (s *Shop) Run(ctx context.Context) error {
	var g errgroup.Group
	for i := range shopAgents {
		g.Go(func() error {
			s.calls(ctx, i)
			return nil
		})
	}
	return g.Wait()
}

// calls are those of one agent. One that cannot be made, because his telephone is
// in use, is made later.
func (s *Shop) calls(ctx context.Context, i int) {
	pause := time.Duration(0)
	if i >= callsAtOnce {
		pause = between(minPause, maxPause)
	}
	for waitFor(ctx, pause) {
		pause = between(minPause, maxPause)
		number := fmt.Sprintf("+155501%02d", rand.IntN(100)) //nolint:gosec // any number will do
		start, cancel := context.WithTimeout(ctx, callPatience)
		call, err := s.sim.CallQueue(start, number, queueOf(i), extensionOf(i)+"@"+shopDomain)
		cancel()
		if err == nil {
			waitFor(ctx, between(minTalk, maxTalk))
		}
		if call.A != "" {
			_ = s.sim.Hangup(call.A, "") // or it is over already
		}
	}
}

func between(lo, hi time.Duration) time.Duration {
	return lo + rand.N(hi-lo) //nolint:gosec // nobody guesses it
}

// waitFor waits and tells whether ctx still goes on.
func waitFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
