package sipphone

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// onInvite is a call to a telephone, or a new description of one that it has.
func (f *Farm) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if l := f.legOf(req); l != nil {
		f.answer(l, req, tx)
		return
	}
	if to := req.To(); to == nil || req.From() == nil || req.CallID() == nil || req.Contact() == nil || to.Params.Has("tag") {
		f.respond(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	name := req.Recipient.User
	f.mu.Lock()
	p, known := f.phones[name]
	f.mu.Unlock()
	switch {
	case !known:
		f.respond(req, tx, 404, "Not Found")
		return
	case p.Reject != 0:
		f.respond(req, tx, p.Reject, "Refused")
		return
	case p.Ring:
		f.ring(req, tx, time.Hour)
		return
	}
	if p.After > 0 && !f.ring(req, tx, p.After) {
		return
	}
	conn, err := f.openRTP()
	if err != nil {
		f.opt.Logger.Error("no media", "error", err)
		f.respond(req, tx, 503, "Service Unavailable")
		return
	}
	l := newLeg(f, name, conn, p)
	l.called(req)
	f.begin(l)
	f.answer(l, req, tx)
}

// begin lets a leg speak and listen.
func (f *Farm) begin(l *Leg) {
	f.mu.Lock()
	f.legs[l.callID] = l
	f.mu.Unlock()
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		l.stream.listen(f.opt.Tones)
	}()
}

// ring lets a telephone ring, and tells whether the caller still waits then.
func (f *Farm) ring(req *sip.Request, tx sip.ServerTransaction, d time.Duration) bool {
	f.respond(req, tx, 180, "Ringing")
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-tx.Done(): // the caller has given up
	case <-f.ctx.Done():
		f.respond(req, tx, 480, "Temporarily Unavailable")
	}
	return false
}

// answer accepts an INVITE, and repeats that until it is acknowledged. The switch
// describes its media in the INVITE or, where that has no body, in the ACK.
func (f *Farm) answer(l *Leg, req *sip.Request, tx sip.ServerTransaction) {
	offered, err := media{direction: "sendrecv", events: 101}, error(nil)
	if len(req.Body()) > 0 {
		if offered, err = parseSDP(req.Body()); err != nil || !offered.pcmu {
			f.respond(req, tx, 488, "Not Acceptable Here")
			if l.fresh() {
				l.end()
			}
			return
		}
	}
	body, acked := l.accept(req, offered)
	res := sip.NewResponseFromRequest(req, 200, "OK", body)
	if to := res.To(); to != nil {
		to.Params.Remove("tag")
		to.Params.Add("tag", l.localTag)
	}
	res.AppendHeader(l.contact())
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	wait := sip.T1
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			_ = tx.Respond(res)
			timer.Reset(wait)
			wait = min(2*wait, sip.T2)
		case <-acked:
			f.established(l)
			return
		case <-l.ended:
			return
		case <-f.ctx.Done():
			return
		}
	}
}

// established lets those know who wait for a telephone to be called.
func (f *Farm) established(l *Leg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.isOver() {
		return
	}
	f.byName[l.Name] = l
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Farm) onAck(req *sip.Request, _ sip.ServerTransaction) {
	if l := f.legOf(req); l != nil {
		l.acknowledged(req)
	}
}

func (f *Farm) onBye(req *sip.Request, tx sip.ServerTransaction) {
	l := f.legOf(req)
	if l == nil {
		f.respond(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	f.respond(req, tx, 200, "OK")
	l.end()
}

// onNotify takes how a transfer goes: the status line of a SIP fragment.
func (f *Farm) onNotify(req *sip.Request, tx sip.ServerTransaction) {
	f.respond(req, tx, 200, "OK")
	l := f.legOf(req)
	words := strings.Fields(string(req.Body()))
	if l == nil || len(words) < 2 {
		return
	}
	if status, err := strconv.Atoi(words[1]); err == nil {
		select {
		case l.notified <- status:
		default: // nobody waits for so many
		}
	}
}
