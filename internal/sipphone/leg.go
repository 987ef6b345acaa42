package sipphone

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Leg is one call of a telephone. Its methods may be called by any goroutine.
type Leg struct {
	Name string // whose telephone it is

	farm      *Farm
	keys      Keys
	stream    *stream
	callID    string
	localTag  string
	remoteTag string
	local     sip.FromHeader
	remote    sip.ToHeader
	routes    []sip.Header
	notified  chan int
	ended     chan struct{}

	mu      sync.Mutex
	over    bool
	acked   chan struct{} // closed when the last INVITE was acknowledged
	waiting uint32        // the CSeq of the INVITE whose ACK has not come
	offered bool          // an answer was accepted in an INVITE, not in its ACK
	target  sip.Uri
	source  string
	cseq    uint32
	version int
	events  int
	hold    bool

	forwards int // Max-Forwards of requests; 0 is 70
}

// newLeg is a leg whose dialog is not known yet.
func newLeg(f *Farm, name string, conn *net.UDPConn, p Phone) *Leg {
	l := &Leg{Name: name, farm: f, localTag: sip.GenerateTagN(16), cseq: 1, notified: make(chan int, 16), ended: make(chan struct{})}
	l.stream = newStream(conn, p.Tone)
	l.stream.quiet = p.Tone == 0
	l.keys, l.stream.inBand = p.Keys, p.Keys == KeysAudio
	return l
}

// called fills in what a call to the telephone says.
func (l *Leg) called(req *sip.Request) {
	l.callID, l.source = req.CallID().Value(), req.Source()
	l.local = req.To().AsFrom()
	l.local.Params.Remove("tag")
	l.local.Params.Add("tag", l.localTag)
	l.remote = req.From().AsTo()
	l.remoteTag, _ = req.From().Params.Get("tag")
	for _, h := range req.GetHeaders("Record-Route") {
		l.routes = append(l.routes, sip.NewHeader("Route", h.Value()))
	}
}

// fresh tells whether the leg was never answered.
func (l *Leg) fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version == 0
}

func (l *Leg) isOver() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// end is the end of the call, whoever ended it.
func (l *Leg) end() {
	l.mu.Lock()
	over := l.over
	l.over = true
	l.mu.Unlock()
	if over {
		return
	}
	l.farm.forget(l)
	_ = l.stream.conn.Close() // its reader ends
}

// Ended is closed when the call has ended.
func (l *Leg) Ended() <-chan struct{} { return l.ended }

func (l *Leg) contact() sip.Header {
	return &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: l.Name, Host: l.farm.opt.IP, Port: l.farm.port()}}
}

// accept takes an offer, and returns the answer and what is closed when that is
// acknowledged.
func (l *Leg) accept(req *sip.Request, offered media) ([]byte, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = make(chan struct{})
	l.waiting = req.CSeq().SeqNo
	l.version++
	l.offered = offered.addr != nil
	if c := req.Contact(); c != nil {
		l.target = *c.Address.Clone()
	}
	if l.version == 1 || offered.events != 0 && l.offered {
		l.events = offered.events
	}
	if l.offered {
		l.stream.direct(offered, l.hold)
	}
	local := l.stream.conn.LocalAddr().(*net.UDPAddr)
	return describe(local, l.version, l.events, answering(offered.direction, l.hold)), l.acked
}

func (l *Leg) acknowledged(req *sip.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cseq := req.CSeq(); l.acked == nil || cseq == nil || cseq.SeqNo != l.waiting {
		return
	}
	if m, err := parseSDP(req.Body()); err == nil && !l.offered {
		l.stream.direct(m, l.hold)
	}
	close(l.acked)
	l.acked = nil
}

// direct says where the media goes.
func (s *stream) direct(m media, hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to, s.hold = m.addr, hold
	if m.events != 0 {
		s.events = m.events
	}
}

// request sends a request within the call and returns its final response.
func (l *Leg) request(ctx context.Context, method sip.RequestMethod, body []byte, headers ...sip.Header) (*sip.Request, *sip.Response, error) {
	if l.isOver() {
		return nil, nil, ErrEnded
	}
	l.mu.Lock()
	l.cseq++
	req := l.build(method, l.cseq)
	l.mu.Unlock()
	for _, h := range headers {
		req.AppendHeader(h)
	}
	req.SetBody(body)
	res, err := l.farm.client.Do(ctx, req, sipgo.ClientRequestAddVia)
	if err != nil {
		return req, nil, fmt.Errorf("sipphone: %s of %s: %w", method, l.Name, err)
	}
	return req, res, nil
}

// build is a request within the call. The leg is locked.
func (l *Leg) build(method sip.RequestMethod, cseq uint32) *sip.Request {
	req := sip.NewRequest(method, *l.target.Clone())
	from, to, callID, forwards := l.local, l.remote, sip.CallIDHeader(l.callID), sip.MaxForwardsHeader(cmp.Or(l.forwards, 70))
	for _, h := range append([]sip.Header{&from, &to, &callID, &sip.CSeqHeader{SeqNo: cseq, MethodName: method}, &forwards, l.contact()}, l.routes...) {
		req.AppendHeader(h)
	}
	req.SetTransport("UDP")
	req.SetDestination(l.source)
	// Without it the library may open another socket.
	req.Laddr = sip.Addr{IP: net.ParseIP(l.farm.opt.IP), Port: l.farm.port()}
	return req
}

// Hold puts the call on hold, as a telephone's hold key does.
func (l *Leg) Hold(ctx context.Context) error { return l.reinvite(ctx, true) }

// Resume ends a hold.
func (l *Leg) Resume(ctx context.Context) error { return l.reinvite(ctx, false) }

func (l *Leg) reinvite(ctx context.Context, hold bool) error {
	direction := "sendrecv"
	if hold {
		direction = "sendonly"
	}
	l.mu.Lock()
	l.hold = hold
	l.version++
	body := describe(l.stream.conn.LocalAddr().(*net.UDPAddr), l.version, l.events, direction)
	l.mu.Unlock()
	req, res, err := l.request(ctx, sip.INVITE, body, sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return fmt.Errorf("sipphone: re-INVITE of %s: %d %s", l.Name, res.StatusCode, res.Reason)
	}
	m, err := parseSDP(res.Body())
	if err != nil {
		return err
	}
	l.stream.direct(m, hold)
	l.mu.Lock()
	ack := l.build(sip.ACK, req.CSeq().SeqNo)
	l.mu.Unlock()
	ack.SetBody(nil)
	return l.farm.client.WriteRequest(ack, sipgo.ClientRequestAddVia)
}

// Refer asks the switch to connect the call's other party with somebody else:
// a URI, as "sip:1000@10.0.0.1". It returns the status that the switch reports
// at last, such as 200 or 403.
func (l *Leg) Refer(ctx context.Context, to string) (int, error) {
	return l.refer(ctx, "<"+to+">")
}

// ReferReplacing is the end of an attended transfer: the other parties of this
// call and of consult, another call of the same telephone, are to be connected.
func (l *Leg) ReferReplacing(ctx context.Context, consult *Leg) (int, error) {
	replaces := url.QueryEscape(consult.callID) + "%3Bto-tag%3D" + url.QueryEscape(consult.remoteTag) + "%3Bfrom-tag%3D" + url.QueryEscape(consult.localTag)
	host, port, _ := net.SplitHostPort(consult.source)
	return l.refer(ctx, fmt.Sprintf("<sip:consult@%s:%s?Replaces=%s>", host, port, replaces))
}

func (l *Leg) refer(ctx context.Context, to string) (int, error) {
	for len(l.notified) > 0 { // of an earlier one
		<-l.notified
	}
	_, res, err := l.request(ctx, sip.REFER, nil, sip.NewHeader("Refer-To", to), sip.NewHeader("Referred-By", "<"+l.local.Address.String()+">"))
	if err != nil {
		return 0, err
	}
	if !res.IsSuccess() {
		return res.StatusCode, nil
	}
	for {
		select {
		case status := <-l.notified:
			if status >= 200 {
				return status, nil
			}
		case <-l.ended:
			// The switch may hang up together with its last word.
			select {
			case status := <-l.notified:
				return status, nil
			default:
				return 0, ErrEnded
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("sipphone: REFER of %s: %w", l.Name, ctx.Err())
		}
	}
}

// Hangup ends the call: the telephone falls silent and says goodbye. One that has
// ended already is no error.
func (l *Leg) Hangup(ctx context.Context) error {
	if l.isOver() {
		return nil
	}
	l.stream.direct(media{}, false)
	_, _, err := l.request(ctx, sip.BYE, nil)
	l.end()
	if l.farm.ctx.Err() != nil {
		return nil
	}
	return err
}

// Talk lets the telephone speak its tone, or makes it silent.
func (l *Leg) Talk(on bool) {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	l.stream.quiet = !on || l.stream.osc.frequency == 0
}

// Stall holds the telephone's packets back for a time, at most a second, and
// sends them all at once then, as a network does that was blocked for a moment.
func (l *Leg) Stall(d time.Duration) {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	l.stream.stalled = int(min(d, time.Second) / (20 * time.Millisecond))
}

// Press presses keys, each for 100 ms, with a pause between them (at least 40
// ms, in steps of 20), and returns when the last one was sent. A telephone is
// silent while it sends keys.
func (l *Leg) Press(ctx context.Context, keys string, pause time.Duration) error {
	if l.keys != KeysInfo {
		return l.pressed(ctx, keys, pause)
	}
	for i := range len(keys) {
		body := fmt.Sprintf("Signal=%c\r\nDuration=100\r\n", keys[i])
		_, res, err := l.request(ctx, sip.INFO, []byte(body), sip.NewHeader("Content-Type", "application/dtmf-relay"))
		if err != nil {
			return err
		}
		if !res.IsSuccess() {
			return fmt.Errorf("sipphone: INFO of %s: %d %s", l.Name, res.StatusCode, res.Reason)
		}
		timer := time.NewTimer(keyFrames*20*time.Millisecond + pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}

func (l *Leg) pressed(ctx context.Context, keys string, pause time.Duration) error {
	select {
	case <-l.stream.press(keys, int(pause/(20*time.Millisecond))):
		return nil
	case <-l.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Keys are the keys that the telephone has received.
func (l *Leg) Keys() string {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	return l.stream.received.String()
}

// Windows are the packets received from one time on and before another. They
// must not be changed.
func (l *Leg) Windows(from, to time.Time) []Window {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	all := l.stream.windows
	i, _ := slices.BinarySearchFunc(all, from, func(w Window, t time.Time) int { return w.At.Compare(t) })
	j, _ := slices.BinarySearchFunc(all, to, func(w Window, t time.Time) int { return w.At.Compare(t) })
	return slices.Clone(all[i:max(i, j)])
}
