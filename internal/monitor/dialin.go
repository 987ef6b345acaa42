package monitor

import (
	"context"
	"net"
	"strings"
	"time"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// dialIn serves a supervisor who dialled the feature code: he is known by the
// extension that the switch has authenticated, which must be registered for live
// monitoring.
func (m *Monitor) dialIn(ctx context.Context, oc *esl.OutboundCall) {
	log := m.log.With("channel", oc.Channel(), "component", "dial-in")
	if err := oc.ExecuteWait(ctx, "answer", ""); err != nil {
		log.Warn("a supervisor's call could not be answered", "error", err)
		return
	}
	x, n, err := m.startDialIn(ctx, oc)
	if err == nil {
		// The switch ends the call with the socket, so wait until it has been
		// transferred away from it.
		for x.Status != wire.Listening && x.Status != wire.Waiting && x.Status != wire.Ended && ctx.Err() == nil {
			x, err = m.AwaitSession(ctx, x.ID, x.Status, x.Role)
			if err != nil {
				break
			}
		}
		return
	}
	log.Info("a supervisor was refused", "error", err)
	code := fault.Of(err)
	if code == 0 {
		code = fault.NotAllowed // an agent who does not exist is nobody's to listen to
	}
	if n != nil {
		_ = oc.ExecuteWait(ctx, "playback", fsconf.PlayString(n.conf(), code.Digits())) // he hears it, or has hung up
	}
	_ = oc.Hangup(ctx, "NORMAL_CLEARING") // likewise
}

// startDialIn begins the session of a supervisor who dialled in.
func (m *Monitor) startDialIn(ctx context.Context, oc *esl.OutboundCall) (wire.Session, *node, error) {
	n := m.nodeOf(ctx, oc.Channel())
	if n == nil {
		return wire.Session{}, nil, fault.New(fault.SwitchTimeout, "dial in", "the call comes from a switch that this controller does not act on")
	}
	phone := oc.Get("variable_user_name")
	if phone == "" && m.cfg.TrustCallerID {
		phone = oc.Get("Caller-Caller-ID-Number")
	}
	if !validNumber(phone) {
		return wire.Session{}, n, notAllowed("the switch has not authenticated the telephone")
	}
	dialled := strings.TrimPrefix(oc.Get("Caller-Destination-Number"), m.cfg.Settings.DialIn)
	if err := checkName("agent", dialled); err != nil {
		return wire.Session{}, n, err
	}
	agent, _, err := n.findAgent(dialled)
	if err != nil {
		return wire.Session{}, n, err
	}
	x, err := n.start(ctx, agent, wire.MonitorRequest{Agent: agent, Phone: phone, Supervisor: phone, Coaching: m.cfg.DialInCoaching}, "", oc.Channel())
	return x, n, err
}

// nodeOf finds the node that a channel is on. Its events may still be on their way.
func (m *Monitor) nodeOf(ctx context.Context, channel string) *node {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		changed := m.Changed()
		for _, n := range m.nodes {
			n.mu.Lock()
			_, ok := n.tracker.Leg(channel)
			n.mu.Unlock()
			if ok {
				return n
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
