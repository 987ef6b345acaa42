package monitor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/seal"
	"livemon/internal/wire"
)

// move brings pupil and user from their bridge into a room of ours. If they do
// not both arrive in time it is undone.
func (c *call) move(ctx context.Context) {
	room := c.n.seal.Room(c.id, random())
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
	defer func() { c.restoreTransfers(ctx, was) }()
	for _, leg := range []struct {
		channel string
		mark    seal.Mark
	}{{c.pupil, seal.Mark{Call: c.id, Party: seal.Pupil, Queue: c.queue}}, {c.user, seal.Mark{Call: c.id, Party: seal.User}}} {
		transfers, err := c.api(ctx, fsapi.Get(channelOf(leg.channel), varTransfers))
		if err == nil {
			was[leg.channel] = strings.TrimSpace(transfers)
			var mark fsapi.Set
			if mark, err = c.n.sign(leg.channel, leg.mark); err == nil {
				_, err = c.api(ctx, fsapi.SetVars(channelOf(leg.channel), mark, fsapi.Set{Name: varTransfers, Value: fsapi.Int(70)}))
			}
		}
		if err != nil {
			c.moveFailed(ctx, err)
			return
		}
	}
	if err := c.guard(ctx); err != nil {
		c.log.Warn("the queue may offer the agent another call", "error", err)
	}
	held := c.holders(ctx)
	// A call whose media does not pass the switch would lose the user.
	if peer, err := c.api(ctx, fsapi.Get(channelOf(c.pupil), fsapi.Name("signal_bridge_to"))); err == nil && strings.TrimSpace(peer) != "_undef_" {
		if _, err := c.api(ctx, fsapi.Media(channelOf(c.pupil))); err == nil {
			pause(ctx, mediaTime, nil)
		}
	}
	// Both legs get the same flags: keys go to the other party, as in a bridge.
	into := fsapi.Join(roomOf(room), fsapi.Name(fsconf.Profile), fsapi.FlagDTMF)
	_, err := c.api(ctx, fsapi.TransferBoth(channelOf(c.pupil), into))
	if isRefusal(err) {
		c.moveFailed(ctx, err)
		return
	}
	if !c.arrive(ctx, into) {
		if ctx.Err() == nil {
			c.moveFailed(ctx, err)
		}
		return
	}
	c.moved = 0
	for _, s := range c.sessions {
		c.n.update(s, func(x *wire.Session) { x.Room = room })
	}
	c.bond(ctx)
	c.holdMusic(ctx, held)
	c.noteHold(ctx, held)
}

// stragglerTime is by how much one party may come into the room later than the
// other before it is sent there again. Under load 42 ms were the most measured;
// about one leg in a thousand never comes by itself.
const stragglerTime = 300 * time.Millisecond

// arrive waits for pupil and user in their room. +OK says nothing, and no answer
// neither: only that both are members is believed.
func (c *call) arrive(ctx context.Context, into fsapi.App) bool {
	deadline := time.Now().Add(c.n.m.cfg.MoveTimeout)
	var v callView
	here := func(want int) func() bool {
		return func() bool {
			v = c.view()
			n := 0
			for _, at := range []where{v.pupil, v.user} {
				if at == inRoom {
					n++
				}
			}
			return n >= want || v.pupil == gone || v.user == gone
		}
	}
	if !c.await(ctx, time.Until(deadline), here(1)) {
		return false
	}
	if !c.await(ctx, min(stragglerTime, time.Until(deadline)), here(2)) && ctx.Err() == nil {
		late := c.pupil
		if v.pupil == inRoom {
			late = c.user
		}
		if c.isLost(late) {
			c.log.Warn("a party did not come into the room: it is sent there again", "channel", late)
			// What becomes of it is seen, not believed.
			_, _ = c.api(ctx, fsapi.Transfer(channelOf(late), into))
		}
		c.await(ctx, time.Until(deadline), here(2))
	}
	return v.pupil == inRoom && v.user == inRoom
}

// isLost tells whether a leg is up, and connected with nobody.
func (c *call) isLost(channel string) bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	l, ok := c.n.tracker.Leg(channel)
	return ok && l.Room == "" && l.Partner == ""
}

// restoreTransfers gives legs back the limit of transfers that they had.
func (c *call) restoreTransfers(ctx context.Context, was map[string]string) {
	for channel, transfers := range was {
		line := fsapi.Unset(channelOf(channel), varTransfers)
		if n, err := strconv.Atoi(transfers); err == nil {
			line = fsapi.SetVar(channelOf(channel), varTransfers, fsapi.Int(n))
		}
		// A leg that has hung up meanwhile needs no tidying.
		_, _ = c.api(ctx, line)
	}
}

// mediaTime is what the legs of a call take to bring their media back to the
// switch; no event says when they have.
const mediaTime = 500 * time.Millisecond

// varTransfers counts how often a channel may still be transferred before
// FreeSWITCH hangs it up; without it the switch takes the Max-Forwards that the
// call came in with. Our moves get a count of their own.
var varTransfers = fsapi.Name("max_session_transfers")

// holders tells which of pupil and user has put the other on hold. A transfer
// makes the switch forget that in its events; what the telephone said last, its
// session description, is there all the same.
func (c *call) holders(ctx context.Context) (held [2]bool) {
	for i, channel := range []string{c.pupil, c.user} {
		sdp, err := c.api(ctx, fsapi.Get(channelOf(channel), fsapi.Name("switch_r_sdp")))
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
		for _, ask := range []fsapi.Line{fsapi.Get(channelOf(p[0]), fsapi.Name("hold_music")), fsapi.Global(fsapi.Name("hold_music"))} {
			v, err := c.api(ctx, ask)
			if v = strings.TrimSpace(v); err == nil && v != "" && v != "_undef_" {
				music = v
				break
			}
		}
		play, err := fsapi.ParseSound(music)
		if err != nil || music == "silence" {
			continue
		}
		if _, err := c.api(ctx, fsapi.Broadcast(channelOf(p[1]), play)); err != nil {
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
		if _, err := c.api(ctx, fsapi.SetVar(channelOf(p[0]), fsapi.Name("signal_bond"), valueOf(p[1]))); err != nil {
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
			c.moved++
			if c.giveBack(ctx) && c.moved < maxMoves && cause == nil {
				return // a leg got lost on its way, which is rare: try once more
			}
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

// maxMoves is how often a move that got lost on its way is tried.
const maxMoves = 2

// hasGone asks the switch whether a leg has hung up: the event that says so may
// still be on its way.
func (c *call) hasGone(ctx context.Context, channel string) bool {
	reply, err := c.api(ctx, fsapi.Exists(channelOf(channel)))
	return err == nil && strings.TrimSpace(reply) == "false"
}

// endStranded sees to the party that is left when the other one hung up on the
// way back to the bridge: the switch leaves its leg where it was, in silence and
// for good. One that has gone on to somewhere else is left alone. It returns true
// if there is nothing to see to.
func (c *call) endStranded(ctx context.Context) bool {
	channel := c.user
	if _, alive := c.leg(channel); !alive {
		channel = c.pupil
	}
	dump, err := c.api(ctx, fsapi.Dump(channelOf(channel)))
	waits := strings.Contains(dump, "\nChannel-State: CS_RESET\n") || strings.Contains(dump, "\nChannel-State: CS_SOFT_EXECUTE\n")
	switch {
	case err == nil && waits && c.isLost(channel):
		c.log.Warn("a party hung up on the way back to the bridge: the other one is let go", "channel", channel)
		c.endOther(ctx, channel)
		return false
	case err != nil && !isRefusal(err):
		c.lookAgain(time.Second)
		return false
	}
	c.returning = false
	return true
}

// maxGiveBack is how often a return to a bridge is tried before the call is left
// in its room, where the parties still talk.
const maxGiveBack = 5

// giveBack brings pupil and user from wherever they are back to a plain bridge.
func (c *call) giveBack(ctx context.Context) bool {
	c.returning = true
	if _, err := c.api(ctx, fsapi.Bridge(channelOf(c.user), channelOf(c.pupil))); err != nil {
		c.log.Warn("the call could not be given back to a bridge", "error", err)
	} else if c.await(ctx, c.n.m.cfg.MoveTimeout, func() bool {
		v := c.view()
		return v.pupil == bridged && v.user == bridged || v.pupil == gone || v.user == gone
	}) {
		c.failed = 0
		v := c.view()
		c.returning = v.pupil != bridged || v.user != bridged
		c.n.mu.Lock()
		delete(c.n.byRoom, c.room)
		c.n.mu.Unlock()
		c.room, c.fresh = "", false
		// A leg that has hung up meanwhile needs no tidying.
		_ = c.n.setMark(ctx, c.pupil, seal.Mark{Queue: c.queue})
		_ = c.n.setMark(ctx, c.user, seal.Mark{})
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
