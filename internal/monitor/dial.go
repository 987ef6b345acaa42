package monitor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// originate rings the supervisor's telephone. The leg is parked when it is
// answered, and gives up by itself if nobody fetches it there.
func (c *call) originate(ctx context.Context, s *session) {
	x := s.x
	vars := []string{
		"origination_uuid=" + x.Channel,
		fmt.Sprintf("originate_timeout=%d", int(c.n.m.cfg.RingTimeout/time.Second)+1),
		"park_timeout=20",
		"ignore_early_media=true",
		"hangup_after_bridge=false",
		"rtp_liberal_dtmf=true", // his keys may also come as SIP INFO
		"origination_caller_id_name=livemon",
		varCall + "=" + c.id,
	}
	vars = append(vars, marks(x)...)
	// His telephone shows whom he is about to hear, and not the customer's number.
	if extension, _, _ := strings.Cut(x.Agent, "@"); validNumber(extension) {
		vars = append(vars, "origination_caller_id_number="+extension)
	}
	c.n.update(s, func(x *wire.Session) { x.Status = wire.Ringing })
	err := c.n.background(ctx, "originate {"+strings.Join(vars, ",")+"}"+s.dial+" &park()", func(reply string) { s.call.post(originated{s, reply}) })
	if err != nil {
		c.end(s, fault.Of(c.n.switchError(fault.PhoneNoAnswer, "originate", err)), reasonSwitch)
	}
}

// marks are what a supervisor's leg says of his session, as name=value.
func marks(x wire.Session) []string {
	out := []string{
		varSession + "=" + x.ID,
		varAgent + "=" + quoteVar(x.Agent),
		varSupervisor + "=" + quoteVar(x.Supervisor),
		varPhone + "=" + quoteVar(x.Phone),
		fmt.Sprintf("%s=%t", varCoaching, x.Coaching),
	}
	if x.Account != "" {
		out = append(out, varAccount+"="+quoteVar(x.Account))
	}
	return out
}

// background sends a command that takes its time. done is called with the
// answer, with the node's mutex held, unless the command could not be sent.
func (n *node) background(ctx context.Context, line string, done func(reply string)) error {
	job := newUUID()
	n.mu.Lock()
	n.jobs[job] = done
	n.mu.Unlock()
	err := n.sw().BGAPI(ctx, job, line)
	if err != nil {
		n.mu.Lock()
		delete(n.jobs, job)
		n.mu.Unlock()
	}
	return err
}

// quoteVar makes a value safe inside {…} of a dial string: whatever could end
// the value, the list or the command is written as an underscore. It is there for
// people who look at the switch, and to find a session again without a store.
func quoteVar(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(numberChars, r) {
			return r
		}
		return '_'
	}, s)
}

// answered is the outcome of originate.
func (c *call) answered(s *session, reply string) {
	if s.ended {
		return
	}
	if strings.HasPrefix(reply, "+OK") {
		c.n.update(s, func(x *wire.Session) {
			s.parked = true
			if x.Status == wire.Ringing {
				x.Status = wire.Answered
			}
		})
		return
	}
	s.dialing = false
	cause := strings.TrimPrefix(strings.TrimPrefix(reply, "-ERR"), " ")
	c.end(s, fault.PhoneNoAnswer, reasonNoAnswer+" ("+short(cause)+")")
}

// dialTimeouts gives up telephones of which nothing is heard any more.
func (c *call) dialTimeouts() {
	for _, s := range c.sessions {
		if s.dialing && !s.ended && time.Now().After(s.until) {
			s.dialing = false
			c.end(s, fault.SwitchTimeout, reasonSwitch)
		}
	}
}
