package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// api sends one command to the switch.
func (c *call) api(ctx context.Context, line string) (string, error) {
	return c.n.sw().API(ctx, line)
}

// isRefusal tells whether the switch answered, and said no.
func isRefusal(err error) bool { return errors.Is(err, esl.ErrReply) }

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
		"origination_caller_id_name=livemon",
		varSession + "=" + x.ID,
		varCall + "=" + c.id,
		varAgent + "=" + quoteVar(x.Agent),
		varSupervisor + "=" + quoteVar(x.Supervisor),
		varPhone + "=" + quoteVar(x.Phone),
		fmt.Sprintf("%s=%t", varCoaching, x.Coaching),
	}
	if n := strings.TrimLeft(c.userNumber, "+"); n != "" && validNumber(n) {
		vars = append(vars, "origination_caller_id_number="+n)
	}
	job := newUUID()
	c.n.mu.Lock()
	c.n.jobs[job] = s
	c.n.mu.Unlock()
	c.n.update(s, func(x *wire.Session) { x.Status = wire.Ringing })
	err := c.n.sw().BGAPI(ctx, job, "originate {"+strings.Join(vars, ",")+"}"+s.dial+" &park()")
	if err != nil {
		c.n.mu.Lock()
		delete(c.n.jobs, job)
		c.n.mu.Unlock()
		c.end(s, fault.Of(c.n.switchError(fault.PhoneNoAnswer, "originate", err)), reasonSwitch)
	}
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

// move brings pupil and user from their bridge into a room of ours. If they do
// not both arrive in time it is undone.
func (c *call) move(ctx context.Context) {
	room := roomPrefix + newID()
	c.n.mu.Lock()
	c.n.byRoom[room] = c
	c.n.mu.Unlock()
	c.room, c.shop, c.fresh = room, false, false
	for _, s := range c.sessions {
		s.wasIn = false
	}
	// To the switch a profile that is missing is no error.
	if err := fsconf.Ready(ctx, c.n.sw(), c.n.m.cfg.Settings); err != nil {
		c.moveFailed(ctx, err)
		return
	}
	was := map[string]string{}
	for _, leg := range []struct{ channel, party string }{{c.pupil, "pupil"}, {c.user, "user"}} {
		var err error
		if was[leg.channel], err = c.api(ctx, "uuid_getvar "+leg.channel+" "+varTransfers); err == nil {
			_, err = c.api(ctx, fmt.Sprintf("uuid_setvar_multi %s %s=%s;%s=%s;%s=70", leg.channel, varParty, leg.party, varCall, c.id, varTransfers))
		}
		if err != nil {
			c.moveFailed(ctx, err)
			return
		}
	}
	held := c.holders(ctx)
	// A call whose media does not pass the switch would lose the user. To any
	// other this is an error that changes nothing.
	if _, err := c.api(ctx, "uuid_media "+c.pupil); err == nil {
		pause(ctx, mediaTime, nil)
	}
	// Both legs get the same flags: keys go to the other party, as in a bridge.
	_, err := c.api(ctx, fmt.Sprintf("uuid_transfer %s -both 'conference:%s@%s+flags{dist-dtmf}' inline", c.pupil, room, fsconf.Profile))
	if isRefusal(err) {
		c.moveFailed(ctx, err)
		return
	}
	// +OK says nothing, and no answer neither: believe only that both are members.
	arrived := func() bool { v := c.view(); return v.pupil == inRoom && v.user == inRoom }
	if !c.await(ctx, c.n.m.cfg.MoveTimeout, arrived) {
		if ctx.Err() == nil {
			c.moveFailed(ctx, err)
		}
		return
	}
	for _, s := range c.sessions {
		c.n.update(s, func(x *wire.Session) { x.Room = room })
	}
	c.bond(ctx)
	c.holdMusic(ctx, held)
	for channel, transfers := range was {
		if transfers = strings.TrimSpace(transfers); transfers == "_undef_" {
			transfers = ""
		}
		// A leg that has hung up meanwhile needs no tidying.
		_, _ = c.api(ctx, strings.TrimRight("uuid_setvar "+channel+" "+varTransfers+" "+transfers, " "))
	}
}

// mediaTime is what the legs of a call take to bring their media back to the
// switch; no event says when they have.
const mediaTime = 500 * time.Millisecond

// varTransfers counts how often a channel may still be transferred before
// FreeSWITCH hangs it up; without it the switch takes the Max-Forwards that the
// call came in with. Our moves get a count of their own.
const varTransfers = "max_session_transfers"

// holders tells which of pupil and user has put the other on hold. A transfer
// makes the switch forget that in its events; what the telephone said last, its
// session description, is there all the same.
func (c *call) holders(ctx context.Context) (held [2]bool) {
	for i, channel := range []string{c.pupil, c.user} {
		sdp, err := c.api(ctx, "uuid_getvar "+channel+" switch_r_sdp")
		held[i] = err == nil && holding(sdp)
	}
	return held
}

// holdMusic lets a party who is on hold hear the music again: it was played on
// his leg, and a move ends it. The holder's resuming stops it as before.
func (c *call) holdMusic(ctx context.Context, held [2]bool) {
	for i, p := range [][2]string{{c.pupil, c.user}, {c.user, c.pupil}} {
		if !held[i] {
			continue
		}
		music := ""
		for _, ask := range []string{"uuid_getvar " + p[0] + " hold_music", "global_getvar hold_music"} {
			v, err := c.api(ctx, ask)
			if v = strings.TrimSpace(v); err == nil && v != "" && v != "_undef_" {
				music = v
				break
			}
		}
		if music == "" || music == "silence" || strings.ContainsAny(music, " '") {
			continue
		}
		if _, err := c.api(ctx, "uuid_broadcast "+p[1]+" "+music+" aleg"); err != nil {
			c.log.Warn("the hold music could not be started again", "error", err)
		}
	}
}

// bond makes hold, blind and attended transfer of the pupil's telephone work in
// the room as they do in a bridge, which sets and clears the same variable itself.
func (c *call) bond(ctx context.Context) {
	if v := c.view(); c.bonded || c.shop || v.pupil != inRoom || v.user != inRoom {
		return
	}
	for _, p := range [][2]string{{c.pupil, c.user}, {c.user, c.pupil}} {
		if _, err := c.api(ctx, "uuid_setvar "+p[0]+" signal_bond "+p[1]); err != nil {
			c.log.Warn("hold and transfer may not work in the room", "error", err)
			return
		}
	}
	c.bonded = true
}

// moveFailed undoes a move and tells the supervisors who asked for it.
func (c *call) moveFailed(ctx context.Context, cause error) {
	v := c.view()
	c.log.Warn("the move into a room did not complete", "pupil", v.pupil, "user", v.user, "error", cause)
	code, reason := fault.RoomNotCreated, "the conference could not be created"
	switch {
	case v.pupilFirst, v.pupil == gone && v.user != gone, v.user != gone && c.hasGone(ctx, c.pupil):
		code, reason = fault.PupilGone, reasonPupilGone
	case v.user == gone, c.hasGone(ctx, c.user):
		code, reason = fault.UserGone, reasonUserGone
	default:
		if cause != nil && !isRefusal(cause) && !errors.Is(cause, fsconf.ErrNotReady) {
			code, reason = fault.SwitchTimeout, reasonSwitch
		}
		if v.pupil != bridged || v.user != bridged {
			c.giveBack(ctx)
		}
	}
	for _, s := range c.sessions {
		if !s.ended && !s.leaving && !s.dialing {
			if l, ok := c.leg(s.x.Channel); ok && l.Answered {
				c.dismiss(ctx, s, code, reason)
			}
		}
	}
}

// hasGone asks the switch whether a leg has hung up: the event that says so may
// still be on its way.
func (c *call) hasGone(ctx context.Context, channel string) bool {
	reply, err := c.api(ctx, "uuid_exists "+channel)
	return err == nil && strings.TrimSpace(reply) == "false"
}

// maxGiveBack is how often a return to a bridge is tried before the call is left
// in its room, where the parties still talk.
const maxGiveBack = 5

// giveBack brings pupil and user from wherever they are back to a plain bridge.
func (c *call) giveBack(ctx context.Context) bool {
	if _, err := c.api(ctx, "uuid_bridge "+c.user+" "+c.pupil); err != nil {
		c.log.Warn("the call could not be given back to a bridge", "error", err)
	} else if c.await(ctx, c.n.m.cfg.MoveTimeout, func() bool {
		v := c.view()
		return v.pupil == bridged && v.user == bridged || v.pupil == gone || v.user == gone
	}) {
		c.failed = 0
		c.n.mu.Lock()
		delete(c.n.byRoom, c.room)
		c.n.mu.Unlock()
		c.room, c.fresh = "", false
		for _, ch := range []string{c.pupil, c.user} {
			// A leg that has hung up meanwhile needs no tidying.
			_, _ = c.api(ctx, "uuid_setvar "+ch+" "+varParty)
		}
		c.holdMusic(ctx, c.holders(ctx))
		return true
	}
	c.failed++
	if c.failed >= maxGiveBack {
		c.log.Error("the call stays in its room: it could not be given back to a bridge", "room", c.room)
	}
	c.lookAgain(200 * time.Millisecond << c.failed)
	return false
}

// hang hangs a party up as the bridge would have done.
func (c *call) hang(ctx context.Context, channel string) {
	if _, err := c.api(ctx, "uuid_kill "+channel+" NORMAL_CLEARING"); err != nil && !isRefusal(err) {
		c.log.Warn("the call's other party could not be hung up", "channel", channel, "error", err)
		c.lookAgain(time.Second)
	}
}

// maxJoins is how often a supervisor's leg is sent to the room.
const maxJoins = 2

// join brings a supervisor's leg into the room, mute and deaf.
func (c *call) join(ctx context.Context, s *session) {
	// Rooms of ours are locked against everybody but supervisors. A lock or PIN
	// of the shop's own holds for supervisors too.
	vars := fmt.Sprintf("%s=70;conference_controls=%s;conference_enforce_security=%t;%s=%s;%s=%s;%s=%s", varTransfers, fsconf.Controls, c.shop,
		varSession, s.x.ID, varCall, c.id, varAgent, quoteVar(s.x.Agent))
	if _, err := c.api(ctx, "uuid_setvar_multi "+s.x.Channel+" "+vars); err != nil {
		c.joinFailed(ctx, s, err)
		return
	}
	c.n.update(s, func(x *wire.Session) {
		if x.Status != wire.Listening {
			x.Status = wire.Answered
		}
		x.Room = c.room
	})
	target := c.room
	if !c.shop {
		target += "@" + fsconf.Profile // a room of the shop's exists already, with its own profile
	}
	// A room that refuses him parks him, so that he can be told.
	_, err := c.api(ctx, fmt.Sprintf("uuid_transfer %s 'conference:%s+flags{mute|deaf},park' inline", s.x.Channel, target))
	if err != nil {
		c.joinFailed(ctx, s, err)
		return
	}
	c.await(ctx, c.n.m.cfg.JoinTimeout/maxJoins, func() bool {
		l, ok := c.leg(s.x.Channel)
		return !ok || l.Room == c.room
	})
	if l, ok := c.leg(s.x.Channel); ctx.Err() == nil && ok && l.Room != c.room {
		if s.tries++; s.tries >= maxJoins {
			c.joinFailed(ctx, s, nil)
		}
	}
}

func (c *call) joinFailed(ctx context.Context, s *session, err error) {
	code := fault.NotAdded
	if c.shop {
		code = fault.PupilInConference
	}
	if err != nil {
		code = fault.Of(c.n.switchError(code, "join", err))
	}
	c.log.Warn("a supervisor could not be added", "session", s.x.ID, "room", c.room, "error", err)
	if v := c.view(); code != fault.SwitchTimeout && v.pupil == gone {
		code = fault.PupilGone
	}
	c.dismiss(ctx, s, code, "the supervisor could not be added to the call")
}

// dismiss makes a session leave, with a code if something went wrong. A leg that
// is in the room leaves by the room's plan: muted first.
func (c *call) dismiss(ctx context.Context, s *session, code fault.Code, reason string) {
	if s.ended || s.leaving {
		return
	}
	s.leaving, s.leave = true, step{code: code, reason: reason}
	s.answer(dismissalError(code, reason))
	if l, ok := c.leg(s.x.Channel); ok && c.room != "" && l.Room == c.room {
		return
	}
	c.farewell(ctx, s)
}

func dismissalError(code fault.Code, reason string) error {
	if code == 0 {
		return notFound("the session has ended: %s", reason)
	}
	return fault.New(code, "session", reason)
}

// farewell takes a supervisor's leg, which is muted or in no room, off livemon's
// hands: it hears the code, if there is one, and is hung up.
func (c *call) farewell(ctx context.Context, s *session) {
	leg, alive := c.leg(s.x.Channel)
	var err error
	switch {
	case alive && leg.Answered && s.leave.code != 0:
		say := fsconf.PlayString(c.n.conf(), s.leave.code.Digits())
		_, err = c.api(ctx, "uuid_transfer "+s.x.Channel+" 'playback:"+say+",hangup' inline")
	case alive || s.dialing:
		_, err = c.api(ctx, "uuid_kill "+s.x.Channel+" NORMAL_CLEARING")
	}
	if err != nil && !isRefusal(err) {
		c.log.Warn("a supervisor's leg could not be let go", "session", s.x.ID, "error", err)
		c.lookAgain(time.Second)
		if alive && leg.Room != "" {
			return // he still listens: the session has not ended
		}
	}
	c.end(s, s.leave.code, s.leave.reason)
}

// end records the end of a session. Its leg is gone, or no longer livemon's.
func (c *call) end(s *session, code fault.Code, reason string) {
	if s.ended {
		return
	}
	s.ended = true
	now := time.Now().UTC()
	x := c.n.update(s, func(x *wire.Session) {
		x.Status, x.Ended, x.Reason, x.Code = wire.Ended, &now, reason, int(code)
	})
	c.n.mu.Lock()
	delete(c.n.sessions, x.ID)
	delete(c.n.byChannel, x.Channel)
	delete(c.n.byLeg, x.Channel)
	c.n.recent = append(c.n.recent, x)
	for len(c.n.recent) > 0 && (len(c.n.recent) > 10_000 || now.Sub(*c.n.recent[0].Ended) > keepEnded) {
		c.n.recent = c.n.recent[1:]
	}
	lease := c.n.lease
	c.n.mu.Unlock()
	c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(x *session) bool { return x == s })
	c.n.journal.add(endRecord(x, s.via), func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.EndSession(ctx, lease, x, rec)
	})
	if s.leave.reason == reasonStopped {
		for _, w := range s.waiting {
			w.done <- nil
		}
		s.waiting = nil
	}
	s.answer(dismissalError(code, reason))
	c.n.m.touch()
	c.log.Info("session ended", "session", x.ID, "reason", reason, "code", int(code))
}

// leg returns what the tracker knows of a channel.
func (c *call) leg(channel string) (legInfo, bool) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	l, ok := c.n.tracker.Leg(channel)
	return legInfo{Answered: l.Answered, Room: l.Room}, ok
}

type legInfo struct {
	Answered bool
	Room     string
}

func (n *node) conf() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.confDir
}

// readRoom reads the room as it is.
func (c *call) readRoom(ctx context.Context) (conference.Room, error) {
	reply, err := c.api(ctx, "conference "+c.room+" json_list")
	if err != nil {
		var e *esl.Error
		if errors.As(err, &e) && isRefusal(err) && strings.Contains(e.Reply, "not found") {
			return conference.Room{}, conference.ErrNoRoom
		}
		return conference.Room{}, err
	}
	r, err := conference.ParseList(reply, c.who())
	if err != nil {
		return conference.Room{}, err
	}
	r.Ours = !c.shop
	var members []int
	for _, m := range r.Members {
		if m.Party == conference.Supervisor {
			members = append(members, m.ID)
		}
	}
	line := conference.RelationsLine(c.room, members)
	if line == "" {
		return r, nil
	}
	reply, err = c.api(ctx, "conference "+line)
	if err != nil && !isRefusal(err) {
		return conference.Room{}, err
	}
	return conference.ParseRelations(r, reply)
}

// who tells the parties of the call apart by their channels.
func (c *call) who() conference.Who {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	sessions := map[string]string{}
	for _, s := range c.sessions {
		sessions[s.x.Channel] = s.x.ID
	}
	unknown := map[string]bool{}
	for _, l := range c.n.tracker.RoomMembers(c.room) {
		if l.Vars[varSession] != "" && sessions[l.Channel] == "" {
			unknown[l.Channel] = true
		}
	}
	pupil, user := c.pupil, c.user
	return func(channel string) (conference.Party, string) {
		switch {
		case channel == pupil:
			return conference.Pupil, ""
		case channel == user:
			return conference.User, ""
		case sessions[channel] != "":
			return conference.Supervisor, sessions[channel]
		case unknown[channel]:
			return conference.Supervisor, "" // a leg of ours that nobody wants any more
		}
		return conference.Other, ""
	}
}
