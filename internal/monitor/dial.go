package monitor

import (
	"context"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// originate rings the supervisor's telephone. The leg is parked when it is
// answered, and gives up by itself if nobody fetches it there.
func (c *call) originate(ctx context.Context, s *session) {
	x := s.x
	mark, err := c.n.sign(x.Channel, supervisorMark(x, c.id))
	if err != nil {
		c.log.Error("the supervisor's leg could not be marked", "session", x.ID, "error", err)
		c.end(s, fault.NotAllowed, "its names are too long: "+err.Error())
		return
	}
	vars := []fsapi.Set{
		{Name: fsapi.Name("origination_uuid"), Value: valueOf(x.Channel)},
		{Name: fsapi.Name("originate_timeout"), Value: fsapi.Int(int(c.n.m.cfg.RingTimeout/time.Second) + 1)},
		{Name: fsapi.Name("park_timeout"), Value: fsapi.Int(20)},
		{Name: fsapi.Name("ignore_early_media"), Value: fsapi.Bool(true)},
		{Name: fsapi.Name("hangup_after_bridge"), Value: fsapi.Bool(false)},
		{Name: fsapi.Name("rtp_liberal_dtmf"), Value: fsapi.Bool(true)}, // his keys may also come as SIP INFO
		{Name: fsapi.Name("origination_caller_id_name"), Value: fsapi.Const("livemon")},
		mark,
	}
	// His telephone shows whom he is about to hear, and not the customer's number.
	if extension, _, _ := strings.Cut(x.Agent, "@"); validNumber(extension) {
		vars = append(vars, fsapi.Set{Name: fsapi.Name("origination_caller_id_number"), Value: valueOf(extension)})
	}
	c.n.update(s, func(x *wire.Session) { x.Status = wire.Ringing })
	err = c.n.background(ctx, fsapi.Originate(s.dial, vars...), func(reply string) { s.call.post(originated{s, reply}) })
	if err != nil {
		c.end(s, fault.Of(c.n.switchError(fault.PhoneNoAnswer, "originate", err)), reasonSwitch)
	}
}

// background sends a command that takes its time. done is called with the
// answer, with the node's mutex held, unless the command could not be sent.
func (n *node) background(ctx context.Context, line fsapi.Line, done func(reply string)) error {
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
