package sipphone

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// StatusError is a call that was refused.
type StatusError struct {
	Status int
	Reason string
}

// Error gives status and reason.
func (e *StatusError) Error() string {
	return fmt.Sprintf("sipphone: the call was refused: %d %s", e.Status, e.Reason)
}

// Call lets an installed telephone call a URI, as "sip:1000@10.0.0.1:5060" with
// an IPv4 address, and returns when it was answered. forwards are the request's
// Max-Forwards. A refusal is a *StatusError.
func (f *Farm) Call(ctx context.Context, name, to string, forwards int) (*Leg, error) {
	f.mu.Lock()
	p, known := f.phones[name]
	closed := f.closed
	if known && !closed {
		f.calls.Add(1)
	}
	f.mu.Unlock()
	if !known || closed {
		return nil, fmt.Errorf("sipphone: there is no telephone %s", name)
	}
	defer f.calls.Done()
	var uri sip.Uri
	if err := sip.ParseUri(to, &uri); err != nil {
		return nil, fmt.Errorf("sipphone: %s: %w", to, err)
	}
	conn, err := f.openRTP()
	if err != nil {
		return nil, err
	}
	l := newLeg(f, name, conn, p)
	l.callID, l.target, l.source, l.version, l.events = sip.GenerateTagN(24), uri, uri.HostPort(), 1, 101
	l.local = sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: name, Host: f.opt.IP}}
	l.local.Params.Add("tag", l.localTag)
	l.remote = sip.ToHeader{Address: uri}
	l.forwards = forwards
	f.begin(l)
	if err := l.invite(ctx); err != nil {
		l.end()
		return nil, err
	}
	f.established(l)
	return l, nil
}

// invite begins a call, and acknowledges its answer.
func (l *Leg) invite(ctx context.Context) error {
	body := describe(l.stream.conn.LocalAddr().(*net.UDPAddr), l.version, l.events, "sendrecv")
	req, res, err := l.request(ctx, sip.INVITE, body, sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return &StatusError{Status: res.StatusCode, Reason: res.Reason}
	}
	m, err := parseSDP(res.Body())
	if err != nil {
		return err
	}
	l.mu.Lock()
	if to := res.To(); to != nil {
		l.remote = *to
		l.remoteTag, _ = to.Params.Get("tag")
	}
	if c := res.Contact(); c != nil {
		l.target = *c.Address.Clone()
	}
	routes := res.GetHeaders("Record-Route")
	for i := len(routes) - 1; i >= 0; i-- { // the farthest comes first
		l.routes = append(l.routes, sip.NewHeader("Route", routes[i].Value()))
	}
	l.forwards = 0
	ack := l.build(sip.ACK, req.CSeq().SeqNo)
	l.mu.Unlock()
	l.stream.direct(m, false)
	ack.SetBody(nil)
	return l.farm.client.WriteRequest(ack, sipgo.ClientRequestAddVia)
}

// CallID is the call's SIP Call-ID, by which the switch's channel is found.
func (l *Leg) CallID() string { return strings.TrimSpace(l.callID) }
