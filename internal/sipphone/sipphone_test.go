package sipphone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"livemon/internal/sipphone"
)

// The library opens one more socket for a request that it was about to handle
// when it was closed, such as the last ACK of a call. What this package starts
// is waited for by Close.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection"))
}

const patience = time.Minute

// pbx is the other side of a call: what a switch does with a telephone.
type pbx struct {
	t      *testing.T
	ctx    context.Context
	farm   *sipphone.Farm
	dialog *sipgo.DialogClientSession
	rtp    *net.UDPConn
	to     *net.UDPAddr
	asked  chan *sip.Request
}

// call rings a telephone; the error is of the call.
func call(t *testing.T, farm *sipphone.Farm, name string) (*pbx, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	quiet := slog.New(slog.DiscardHandler)
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	p := &pbx{t: t, ctx: ctx, farm: farm, asked: make(chan *sip.Request, 10)}
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.REFER, sip.BYE, sip.INFO} {
		server.OnRequest(method, func(req *sip.Request, tx sip.ServerTransaction) { p.serve(req, tx) })
	}
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeUDP(conn) // ends when it is closed
	}()
	addr := conn.LocalAddr().(*net.UDPAddr)
	for tick := time.Tick(time.Millisecond); ; <-tick {
		// Before it serves, the library would open a second socket.
		if _, err := ua.TransportLayer().GetConnection("udp", addr.String()); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the socket is not served")
		}
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(quiet), sipgo.WithClientHostname("127.0.0.1"), sipgo.WithClientPort(addr.Port), sipgo.WithClientConnectionAddr(addr.String()))
	if err != nil {
		t.Fatal(err)
	}
	if p.rtp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = errors.Join(ua.Close(), conn.Close(), p.rtp.Close()) // the test is over
		<-served
	})
	dialogs := sipgo.DialogUA{Client: client, ContactHDR: sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "pbx", Host: "127.0.0.1"}}}
	var to sip.Uri
	if err := sip.ParseUri("sip:"+name+"@"+farm.Addr(), &to); err != nil {
		t.Fatal(err)
	}
	p.dialog, err = dialogs.Invite(ctx, to, p.describe("sendrecv"), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.dialog.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return p, err
	}
	p.to = audio(t, p.dialog.InviteResponse.Body())
	if err := p.dialog.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	return p, nil
}

func (p *pbx) describe(direction string) []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n",
		p.rtp.LocalAddr().(*net.UDPAddr).Port, direction)
}

// audio is where an answer says that media goes.
func audio(t *testing.T, sdp []byte) *net.UDPAddr {
	t.Helper()
	var port int
	for line := range strings.Lines(string(sdp)) {
		if _, err := fmt.Sscanf(line, "m=audio %d ", &port); err == nil {
			return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		}
	}
	t.Fatalf("no audio in %q", sdp)
	return nil
}

func (p *pbx) serve(req *sip.Request, tx sip.ServerTransaction) {
	status, body := 200, []byte(nil)
	switch req.Method {
	case sip.INVITE:
		body = p.describe("sendrecv")
	case sip.REFER:
		status = 202
	}
	res := sip.NewResponseFromRequest(req, status, "OK", body)
	res.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "pbx", Host: "127.0.0.1"}})
	_ = tx.Respond(res) // the telephone says what it missed
	p.asked <- req
}

// want is the telephone's next request.
func (p *pbx) want(method sip.RequestMethod) *sip.Request {
	p.t.Helper()
	select {
	case req := <-p.asked:
		if req.Method != method {
			p.t.Fatalf("the telephone sent %s, not %s", req.Method, method)
		}
		return req
	case <-p.ctx.Done():
		p.t.Fatalf("the telephone sent no %s", method)
		return nil
	}
}

// packet is the next RTP packet from the telephone.
func (p *pbx) packet() []byte {
	p.t.Helper()
	buf := make([]byte, 2000)
	if err := p.rtp.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	n, err := p.rtp.Read(buf)
	if err != nil {
		p.t.Fatal(err)
	}
	return buf[:n]
}

// send sends the telephone one packet.
func (p *pbx) send(payloadType byte, seq uint16, payload []byte) {
	p.t.Helper()
	head := []byte{0x80, payloadType, byte(seq >> 8), byte(seq), 0, 0, byte(seq), 0, 1, 2, 3, 4}
	if _, err := p.rtp.WriteToUDP(append(head, payload...), p.to); err != nil {
		p.t.Fatal(err)
	}
}

func start(t *testing.T) *sipphone.Farm {
	t.Helper()
	farm, err := sipphone.Start(sipphone.Options{Tones: []float64{400, 1000}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := farm.Close(); err != nil {
			t.Error(err)
		}
	})
	return farm
}

func answered(t *testing.T, farm *sipphone.Farm, phone sipphone.Phone) (*pbx, *sipphone.Leg) {
	t.Helper()
	farm.Set("anna", phone)
	p, err := call(t, farm, "anna")
	if err != nil {
		t.Fatal(err)
	}
	leg, err := farm.Answered(p.ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	return p, leg
}

// ulaw is a tone in G.711, as ITU-T has it: written apart from the package's own.
func ulaw(hz, loudness float64, from int) []byte {
	out := make([]byte, 160)
	for i := range out {
		v := int(loudness * 32768 * math.Sin(2*math.Pi*hz*float64(from+i)/8000))
		sign := 0
		if v < 0 {
			sign, v = 0x80, -v
		}
		v = min(v+132, 32767)
		exponent := 7
		for exponent > 0 && v < 1<<(exponent+7) {
			exponent--
		}
		out[i] = byte(^(sign | exponent<<4 | v>>(exponent+3)&15))
	}
	return out
}

func TestHears(t *testing.T) {
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Tone: 400})
	began := time.Now()
	stranger, err := net.DialUDP("udp4", nil, p.to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Close() })
	if _, err := stranger.Write(append([]byte{0x80, 0, 0, 9, 0, 0, 0, 0, 9, 9, 9, 9}, ulaw(400, 0.2, 0)...)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p.send(0, uint16(i), ulaw(1000, 0.2, 160*i))
	}
	p.send(0, 3, make([]byte, 0))
	p.send(101, 4, []byte{7, 10, 0, 160})
	p.send(101, 4, []byte{7, 0x8a, 3, 32})
	p.send(101, 5, []byte{11, 10, 0, 160})
	p.send(13, 6, []byte{1})
	for leg.Keys() != "7#" {
		if p.ctx.Err() != nil {
			t.Fatalf("keys: %q", leg.Keys())
		}
		p.packet() // 20 ms
	}
	windows := leg.Windows(began, time.Now())
	if len(windows) != 3 {
		t.Fatalf("%d windows, want 3", len(windows))
	}
	for _, w := range windows {
		if w.Levels[0] > -40 || math.Abs(float64(w.Levels[1])) > 0.5 {
			t.Errorf("levels %v, want 1000 Hz at 0 dB alone", w.Levels)
		}
	}
	if n := len(leg.Windows(time.Now(), time.Now().Add(time.Hour))); n != 0 {
		t.Errorf("%d windows of the future", n)
	}
}

func TestSpeaks(t *testing.T) {
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Tone: 400})
	talking := func() bool {
		sound := p.packet()
		return sound[1]&0x7f == 0 && len(sound) == 172 && bytes.Count(sound[12:], []byte{0xff}) < 160
	}
	until := func(what string, cond func() bool) {
		t.Helper()
		for !cond() {
			if p.ctx.Err() != nil {
				t.Fatal(what)
			}
		}
	}
	until("he does not speak", talking)
	leg.Talk(false)
	until("he is not silent", func() bool { return !talking() })
	leg.Talk(true)
	until("he does not speak again", talking)
	if err := leg.Press(p.ctx, "4#", 40*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	var keys []byte
	ends := 0
	until("the keys were not sent", func() bool {
		k := p.packet()
		if k[1]&0x7f == 101 {
			if k[13]&0x80 != 0 {
				ends++
			}
			if k[1]&0x80 != 0 {
				keys = append(keys, k[12])
			}
		}
		return ends == 6
	})
	if string(keys) != "\x04\x0b" {
		t.Errorf("the events are %v", keys)
	}
}

func TestHoldAndResume(t *testing.T) {
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Tone: 400})
	if err := leg.Hold(p.ctx); err != nil {
		t.Fatal(err)
	}
	if req := p.want(sip.INVITE); !strings.Contains(string(req.Body()), "a=sendonly\r\n") {
		t.Errorf("hold says %q", req.Body())
	}
	if err := leg.Resume(p.ctx); err != nil {
		t.Fatal(err)
	}
	if req := p.want(sip.INVITE); !strings.Contains(string(req.Body()), "a=sendrecv\r\n") {
		t.Errorf("resume says %q", req.Body())
	}
}

func TestTransfer(t *testing.T) {
	farm := start(t)
	for _, c := range []struct{ fragment, want string }{{"SIP/2.0 200 OK", "200"}, {"SIP/2.0 403 Forbidden", "403"}} {
		p, leg := answered(t, farm, sipphone.Phone{})
		done := make(chan string, 1)
		go func() {
			status, err := leg.Refer(p.ctx, "sip:1000@127.0.0.1")
			done <- strings.TrimSuffix(fmt.Sprint(status, " ", err), " <nil>")
		}()
		if to := p.want(sip.REFER).GetHeader("Refer-To"); to == nil || to.Value() != "<sip:1000@127.0.0.1>" {
			t.Errorf("Refer-To: %v", to)
		}
		for _, fragment := range []string{"SIP/2.0 100 Trying", c.fragment} {
			req := sip.NewRequest(sip.NOTIFY, p.dialog.InviteResponse.Contact().Address)
			req.SetBody([]byte(fragment + "\r\n"))
			if _, err := p.dialog.Do(p.ctx, req); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-done; got != c.want {
			t.Errorf("%s: Refer returned %s", c.fragment, got)
		}
		if err := leg.Hangup(p.ctx); err != nil {
			t.Fatal(err)
		}
		p.want(sip.BYE)
	}
}

func TestRefuses(t *testing.T) {
	farm := start(t)
	farm.Set("busy", sipphone.Phone{Reject: 486})
	for name, want := range map[string]int{"busy": 486, "nobody": 404} {
		_, err := call(t, farm, name)
		var refused *sipgo.ErrDialogResponse
		if !errors.As(err, &refused) || refused.Res.StatusCode != want {
			t.Errorf("%s: %v, want %d", name, err, want)
		}
	}
}

func TestEnds(t *testing.T) {
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Tone: 400})
	if err := p.dialog.Bye(p.ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-leg.Ended():
	case <-p.ctx.Done():
		t.Fatal("the call did not end")
	}
	if err := leg.Hold(p.ctx); !errors.Is(err, sipphone.ErrEnded) {
		t.Errorf("hold of an ended call: %v", err)
	}
	if err := leg.Press(p.ctx, "1", 0); !errors.Is(err, sipphone.ErrEnded) {
		t.Errorf("keys of an ended call: %v", err)
	}
	if err := leg.Hangup(p.ctx); err != nil {
		t.Errorf("hangup of an ended call: %v", err)
	}
	short, cancel := context.WithCancel(p.ctx)
	cancel()
	if _, err := farm.Answered(short, "anna"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a telephone that nobody calls: %v", err)
	}
}

// keysBy presses keys on a telephone that sends them in one of its ways.
func keysBy(t *testing.T, keys sipphone.Keys, pressed string) (*pbx, <-chan error) {
	t.Helper()
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Keys: keys})
	done := make(chan error, 1)
	go func() { done <- leg.Press(p.ctx, pressed, 40*time.Millisecond) }()
	return p, done
}

func TestKeysByInfo(t *testing.T) {
	p, done := keysBy(t, sipphone.KeysInfo, "4#")
	for _, key := range []string{"4", "#"} {
		if body := string(p.want(sip.INFO).Body()); !strings.HasPrefix(body, "Signal="+key+"\r\n") {
			t.Errorf("%q, want the key %s", body, key)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeysInAudio(t *testing.T) {
	p, done := keysBy(t, sipphone.KeysAudio, "4")
	loud := func(packet []byte) bool { return bytes.Count(packet[12:], []byte{0xff}) < 100 }
	var packet []byte
	for packet = p.packet(); !loud(packet); packet = p.packet() {
		if p.ctx.Err() != nil {
			t.Fatal("no tones")
		}
	}
	var want [160]float64
	for i := range want { // the key 4 is 770 and 1209 Hz
		a := 2 * math.Pi * float64(i) / 8000
		want[i] = math.Sin(770*a) + math.Sin(1209*a)
	}
	// The sign of each loud sample is that of the two tones.
	for i, v := range want {
		if negative := packet[12+i]&0x80 == 0; math.Abs(v) > 0.1 && negative != (v < 0) {
			t.Fatalf("sample %d is not of the key's tones", i)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStall(t *testing.T) {
	farm := start(t)
	p, leg := answered(t, farm, sipphone.Phone{Tone: 400})
	p.packet()
	sequence := -1
	// stall is the longest time between two packets, none of which is lost. It is
	// shorter than the stall where the packets before it wait for us to be read.
	stall := func() (most time.Duration) {
		leg.Stall(200 * time.Millisecond)
		last := time.Now()
		for range 30 {
			packet := p.packet()
			n := int(packet[2])<<8 | int(packet[3])
			if sequence >= 0 && n != (sequence+1)&0xffff {
				t.Fatalf("packet %d follows %d", n, sequence)
			}
			sequence = n
			most = max(most, time.Since(last))
			last = time.Now()
		}
		return most
	}
	var most time.Duration
	for range 5 {
		if most = max(most, stall()); most >= 150*time.Millisecond {
			return
		}
	}
	t.Errorf("no packet was held back: at most %v between two", most)
}

func TestCalls(t *testing.T) {
	here, there := start(t), start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	here.Set("anna", sipphone.Phone{Tone: 400})
	there.Set("bob", sipphone.Phone{Tone: 1000})
	there.Set("busy", sipphone.Phone{Reject: 486})
	began := time.Now()
	anna, err := here.Call(ctx, "anna", "sip:bob@"+there.Addr(), 70)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := there.Answered(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if anna.CallID() != bob.CallID() {
		t.Errorf("calls %s and %s", anna.CallID(), bob.CallID())
	}
	hears := func(l *sipphone.Leg, tone int) bool {
		for _, w := range l.Windows(began, time.Now()) {
			if w.Levels[tone] > -1 && w.Levels[1-tone] < -40 {
				return true
			}
		}
		return false
	}
	for tick := time.Tick(20 * time.Millisecond); !hears(anna, 1) || !hears(bob, 0); <-tick {
		if ctx.Err() != nil {
			t.Fatal("they do not hear each other")
		}
	}
	for _, l := range []*sipphone.Leg{bob, anna} { // both can ask for something
		if err := errors.Join(l.Hold(ctx), l.Resume(ctx)); err != nil {
			t.Error(err)
		}
	}
	if err := anna.Hangup(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-bob.Ended():
	case <-ctx.Done():
		t.Error("the other end does not end")
	}
	var refused *sipphone.StatusError
	if _, err := here.Call(ctx, "anna", "sip:busy@"+there.Addr(), 70); !errors.As(err, &refused) || refused.Status != 486 {
		t.Errorf("a busy telephone: %v", err)
	}
	for name, to := range map[string]string{"nobody": "sip:bob@" + there.Addr(), "anna": "not a URI"} {
		if _, err := here.Call(ctx, name, to, 70); err == nil {
			t.Errorf("%s called %s", name, to)
		}
	}
}
