package monitor

import (
	"context"
	"time"

	"livemon/conference"
	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// noticeLead is by how much what is played is heard later than ears are opened, two
// or three frames, and some more.
const noticeLead = 80 * time.Millisecond

// noticeRetry is when a notice that could not be repeated is tried again.
const noticeRetry = time.Second

// give gives the parties the notice that their team is to have of somebody's
// listening: a tone to each of those it is for, and to nobody else. It comes before
// the first supervisor hears them; without it he does not listen.
func (c *call) give(ctx context.Context) error {
	notice, err := c.n.m.policy.Notice(ctx, c.n.agent(c.agent))
	if err != nil {
		return err
	}
	c.notice, c.noticeAt, c.told = notice, time.Time{}, map[string]bool{}
	if err := c.playNotice(ctx); err != nil {
		return err
	}
	if notice.Every > 0 && tells(notice) {
		c.noticeAt = time.Now().Add(time.Duration(notice.Every) * time.Second)
	}
	return nil
}

// tellNewcomers gives notice to those who have come into a conference of the shop's
// where somebody listens.
func (c *call) tellNewcomers(ctx context.Context) {
	if !c.noticed() || c.told == nil {
		return
	}
	if err := c.playNotice(ctx); err != nil {
		c.log.Warn("a newcomer could not be given notice", "error", err)
		c.noticeAt = time.Now().Add(noticeRetry)
		c.lookAgain(noticeRetry)
	}
}

// tells tells whether a notice is for anybody.
func tells(n wire.Notice) bool { return n.Kind == wire.NoticeAgent || n.Kind == wire.NoticeAll }

// playNotice plays the notice to those whom it is for and who have not heard it
// yet.
func (c *call) playNotice(ctx context.Context) error {
	if !tells(c.notice) {
		return nil
	}
	for _, m := range c.actual.Members {
		if c.told[m.Channel] || m.Party == conference.Supervisor || m.Party != conference.Pupil && c.notice.Kind == wire.NoticeAgent {
			continue
		}
		if _, err := c.api(ctx, fsapi.Play(roomOf(c.room), soundOf(fsconf.NoticeTone()), m.ID)); err != nil {
			if c.goneMeanwhile(ctx, m) {
				continue
			}
			return c.n.switchError(c.notAdded(), "notice", err)
		}
		c.told[m.Channel] = true
	}
	return nil
}

// goneMeanwhile tells whether a member who could not be played to has left.
func (c *call) goneMeanwhile(ctx context.Context, m conference.Member) bool {
	c.fresh = false
	l, ok := c.leg(m.Channel)
	return !ok || l.Room != c.room || c.hasGone(ctx, m.Channel)
}

// repeatNotice repeats the notice for as long as somebody listens, when it is
// time, or when another one is wanted by now.
func (c *call) repeatNotice(ctx context.Context, changed bool) {
	listened := false
	for _, s := range c.sessions {
		listened = listened || s.recorded && !s.leaving && !s.waits
	}
	if !listened {
		c.notice, c.noticeAt, c.told = wire.Notice{}, time.Time{}, nil
		return
	}
	if changed || c.told == nil { // those of a controller before this one are not known
		notice, err := c.n.m.policy.Notice(ctx, c.n.agent(c.agent))
		if err != nil || c.told != nil && notice == c.notice {
			return
		}
	} else if c.noticeAt.IsZero() {
		return
	} else if wait := time.Until(c.noticeAt); wait > 0 {
		c.lookAgain(wait)
		return
	}
	if err := c.give(ctx); err != nil {
		c.log.Warn("the parties could not be given notice", "code", int(fault.Of(err)), "error", err)
		c.noticeAt = time.Now().Add(noticeRetry)
	}
	if !c.noticeAt.IsZero() {
		c.lookAgain(time.Until(c.noticeAt))
	}
}

// noticed tells whether somebody listens already, and notice was given.
func (c *call) noticed() bool {
	for _, s := range c.sessions {
		if s.recorded && !s.leaving {
			return true
		}
	}
	return false
}
