package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
)

// patience is how long a case waits for anything, frame the length of a window.
const (
	patience = 10 * time.Second
	frame    = 20 * time.Millisecond
)

// fact is one thing that livemon relies on.
type fact struct {
	name  string // as in docs/conformance.md
	claim string
	check func(c *check)
	// needs are the modules without which a switch cannot be asked.
	needs []string
	// room says that the conference profile of livemon is needed.
	room bool
	// inbound says that a telephone has to call the switch.
	inbound bool
	// differs says in what the simulation does not behave so: there the case is
	// expected to fail.
	differs string
	// real says why only a real switch can be asked.
	real string
}

// check is one run of a fact.
type check struct {
	ctx    context.Context
	sw     Switch
	client *esl.Client
	id     string // of this run: the mark of its channels, and the beginning of its names
	legs   []*leg
	notes  []string
	events *record
	// searched is in how many windows nobody was found whom never looked for.
	searched int
}

// leg is one telephone's channel.
type leg struct {
	Telephone
	name string // of the telephone
	uuid string
	tap  string // of a supervisor: the leg that carries his voice to the pupil
}

// failure is how a case ends that does not hold.
type failure struct{ text string }

func (c *check) fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// note keeps a figure for the report.
func (c *check) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func (c *check) must(err error) {
	if err != nil {
		c.fatalf("%v", err)
	}
}

func (c *check) want(ok bool, format string, args ...any) {
	if !ok {
		c.fatalf(format, args...)
	}
}

// mark is the channel variable by which a run's channels are found.
const mark = "livemon_conformance"

// run asks one fact of a switch. The error says in what it does not hold.
func (f *fact) run(ctx context.Context, sw Switch) (notes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	c := &check{ctx: ctx, sw: sw, client: esl.NewClient(sw.Socket()), id: "t" + randomHex(4)}
	c.events, err = listen(ctx, sw.Socket(), sessionEvents)
	if err != nil {
		return nil, errors.Join(err, c.client.Close())
	}
	defer func() {
		if p := recover(); p != nil {
			fail, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = errors.Join(errors.New(fail.text), err)
		}
		notes = c.notes
		err = errors.Join(err, c.leave())
	}()
	f.check(c)
	return c.notes, err
}

// leave hangs up what the run has made, and waits until it is gone.
func (c *check) leave() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), patience)
	defer cancel()
	_, err := c.client.API(ctx, fsapi.KillMarked(fsapi.Name(mark), fsapi.Const(c.id)))
	for _, l := range c.legs {
		if l.uuid == "" && l.Telephone != nil { // a call that came in, and was not found
			err = errors.Join(err, l.Hangup(ctx))
			continue
		}
		for err == nil {
			var reply string
			if reply, err = c.client.API(ctx, fsapi.Exists(channelOf(l.uuid))); reply != "true" {
				break
			}
			if err == nil {
				err = pause(ctx, frame)
			}
		}
	}
	return errors.Join(err, c.events.close(), c.client.Close())
}

// pause lets time pass, in a switch that has no event for what is waited for.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *check) pause(d time.Duration) { c.must(pause(c.ctx, d)) }

// until looks every frame until cond holds.
func (c *check) until(what string, cond func() bool) {
	for end := time.Now().Add(patience); !cond(); {
		c.want(time.Now().Before(end), "in vain waited for: %s", what)
		c.pause(frame)
	}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%x", b)
}

func newUUID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

func channelOf(uuid string) fsapi.Channel { c, _ := fsapi.ParseChannel(uuid); return c }

func roomOf(name string) fsapi.Room { r, _ := fsapi.ParseRoom(name); return r }

// api runs a command and returns its answer, whatever it says.
func (c *check) api(format string, args ...any) string {
	line := fmt.Sprintf(format, args...)
	reply, err := c.client.API(c.ctx, fsapi.Unchecked(line))
	if err != nil && !errors.Is(err, esl.ErrReply) {
		c.fatalf("api %s: %v", line, err)
	}
	return reply
}

// ok is api for a command that must be answered with +OK.
func (c *check) ok(format string, args ...any) string {
	reply := c.api(format, args...)
	c.want(strings.HasPrefix(reply, "+OK"), "api "+format+"\nanswered: %s", append(args, reply)...)
	return reply
}

func (c *check) variable(l *leg, name string) string {
	v := strings.TrimSpace(c.api("uuid_getvar %s %s", l.uuid, name))
	if v == "_undef_" {
		return ""
	}
	return v
}

func (c *check) alive(l *leg) bool {
	return strings.TrimSpace(c.api("uuid_exists %s", l.uuid)) == "true"
}

// phone installs a telephone of this run.
func (c *check) phone(name string, b Behaviour) *leg {
	l := &leg{name: c.id + "-" + name, uuid: newUUID()}
	c.must(c.sw.Install(l.name, b))
	c.legs = append(c.legs, l)
	return l
}

// dial is what originate and bridge are given to ring a telephone. Should this
// process die, the legs end for want of media.
func (c *check) dial(l *leg, vars ...string) string {
	vars = append([]string{"origination_uuid=" + l.uuid, mark + "=" + c.id, "absolute_codec_string=PCMU", "ignore_early_media=true", "media_timeout=20000"}, vars...)
	return "{" + strings.Join(vars, ",") + "}" + c.sw.Dial(l.name)
}

// answered waits for a telephone's answer, and gives its leg the hold music that
// the case can tell.
func (c *check) answered(l *leg) *leg {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	var err error
	l.Telephone, err = c.sw.Answered(ctx, l.name, l.uuid)
	c.must(err)
	c.ok("uuid_setvar %s hold_music %s", l.uuid, c.sw.Music())
	return l
}

// parked is a telephone that was called, has answered, and waits.
func (c *check) parked(name string, vars ...string) *leg {
	l := c.phone(name, Behaviour{})
	c.ok("originate %s &park()", c.dial(l, vars...))
	return c.answered(l)
}

// callsIn is a telephone that has called the switch, and was answered and parked.
func (c *check) callsIn(name string, forwards int) *leg {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	l := c.phone(name, Behaviour{})
	at := c.events.now()
	var callID string
	var err error
	l.Telephone, l.uuid, callID, err = c.sw.CallIn(ctx, l.name, forwards)
	c.must(err)
	if l.uuid == "" {
		l.uuid = c.await(at, "event=CHANNEL_ANSWER", "variable_sip_call_id="+callID).Get("Unique-ID")
	}
	c.ok("uuid_setvar %s %s %s", l.uuid, mark, c.id)
	c.ok("uuid_setvar %s hold_music %s", l.uuid, c.sw.Music())
	c.until("the call is parked", func() bool { return c.variable(l, "current_application") == "park" })
	return l
}

// connect lets a leg that is parked call a telephone, as its dialplan would.
func (c *check) connect(caller *leg, name string) *leg {
	l := c.phone(name, Behaviour{})
	c.ok("uuid_transfer %s 'm:^:bridge:%s' inline", caller.uuid, c.dial(l))
	c.answered(l)
	c.hears("the bridge", heard{caller: {l}, l: {caller}})
	return l
}

// call is a call between two telephones, bridged and heard; the first is rung
// first.
func (c *check) call(first, second string, vars ...string) (a, b *leg) {
	a, b = c.phone(first, Behaviour{}), c.phone(second, Behaviour{})
	c.ok("originate %s &bridge(%s)", c.dial(a, vars...), c.dial(b, vars...))
	c.answered(a)
	c.answered(b)
	c.hears("the bridge", heard{a: {b}, b: {a}})
	return a, b
}

// heard is who hears whom: exactly those. A leg named theMusic is hold music.
type heard map[*leg][]*leg

var theMusic = &leg{name: music}

const (
	settleFrames = 15 // windows that are looked at
	settleHeard  = 12 // in so many of them who is to be heard is heard
	settleOthers = 0  // and nobody else in more than so many
)

// hears waits until everybody hears exactly whom he should, for 300 ms.
func (c *check) hears(what string, want heard) {
	c.pause(settleFrames * frame) // what was heard before does not count
	for end := time.Now().Add(patience); ; c.pause(frame) {
		now := time.Now()
		unlike := c.unlike(want, now.Add(-settleFrames*frame), now)
		if unlike == "" {
			return
		}
		c.want(now.Before(end), "%s: %s", what, unlike)
	}
}

// unlike says in what the windows of a time are not as wanted.
func (c *check) unlike(want heard, from, to time.Time) string {
	for _, l := range c.legs { // in an order that is always the same
		speakers, asked := want[l]
		if !asked {
			continue
		}
		count, windows := l.count(from, to)
		for _, s := range speakers {
			if count[s.name] < settleHeard {
				return fmt.Sprintf("%s hears %s in %d windows of the last %d", c.short(l), c.short(s), count[s.name], windows)
			}
		}
		for who, n := range count {
			if n > settleOthers && !slices.ContainsFunc(speakers, func(s *leg) bool { return s.name == who }) {
				return fmt.Sprintf("%s hears %s in %d windows of the last %d", c.short(l), strings.TrimPrefix(who, c.id+"-"), n, windows)
			}
		}
	}
	return ""
}

func (c *check) short(l *leg) string { return strings.TrimPrefix(l.name, c.id+"-") }

// count counts the windows of a time in which somebody was heard, by telephone.
func (l *leg) count(from, to time.Time) (heard map[string]int, windows int) {
	heard = map[string]int{}
	all := l.Heard(from, to)
	for _, w := range all {
		for _, who := range w.Who {
			heard[who]++
		}
	}
	return heard, len(all)
}

// windows is in how many windows of a time a leg heard another one.
func (l *leg) windows(speaker *leg, from, to time.Time) int {
	n, _ := l.count(from, to)
	return n[speaker.name]
}

// never fails when listener heard speaker in any window since a time.
func (c *check) never(listener, speaker *leg, since time.Time, when string) {
	heard, windows := listener.count(since, time.Now())
	n := heard[speaker.name]
	c.searched += windows
	c.want(n == 0, "%s: %s heard %s in %d windows", when, c.short(listener), c.short(speaker), n)
}

// gap is the longest time without speaker for a listener who hears him at its
// beginning and at its end.
func (l *leg) gap(speaker *leg, from, to time.Time) time.Duration {
	longest, last := time.Duration(0), time.Time{}
	for _, w := range l.Heard(from, to) {
		if !slices.Contains(w.Who, speaker.name) {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, w.At.Sub(last)-frame)
		}
		last = w.At
	}
	return longest
}

// record is the events of a connection, from its beginning.
type record struct {
	stream *esl.Stream
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	list []*esl.Event
	err  error
	more chan struct{} // closed when there is another one
}

var sessionEvents = []string{"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_PARK", "CHANNEL_HOLD", "CHANNEL_UNHOLD",
	"CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "DTMF", "DETECTED_TONE", "BACKGROUND_JOB", "PLAYBACK_START", "PLAYBACK_STOP", "MEDIA_BUG_START", "MEDIA_BUG_STOP",
	"CUSTOM conference::maintenance"}

var eventHeaders = []string{"Unique-ID", "Caller-Channel-Created-Time", "Action", "Conference-Name", "Conference-Profile-Name", "Member-ID", "DTMF-Key", "Data", "Hangup-Cause", "DTMF-Digit", "DTMF-Source", "Media-Bug-Function",
	"Detected-Tone", "Application", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Event-Sequence", "Channel-Name", "variable_" + mark, "variable_sip_call_id",
	"variable_read_result", "variable_read_terminator_used", "variable_" + answer, "variable_" + answer + "_invalid", "variable_digits_dialed"}

// listen subscribes to events and keeps them.
func listen(ctx context.Context, socket esl.Options, names []string) (*record, error) {
	stream, err := esl.DialStream(ctx, socket, esl.Subscription{Events: names, Headers: eventHeaders})
	if err != nil {
		return nil, err
	}
	r := &record{stream: stream, more: make(chan struct{})}
	ctx, r.cancel = context.WithCancel(ctx)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		for {
			e, err := stream.Next(ctx)
			r.mu.Lock()
			if r.err = err; err == nil {
				r.list = append(r.list, e)
			}
			close(r.more)
			r.more = make(chan struct{})
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r, nil
}

func (r *record) close() error {
	r.cancel()
	r.wg.Wait()
	return r.stream.Close()
}

// now is a place in the record.
func (r *record) now() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// since are the events from a place on.
func (r *record) since(from int) []*esl.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list[from:])
}

// await returns the first event from a place on that fits; header=value, where
// Event-Name is written event.
func (c *check) await(from int, want ...string) *esl.Event {
	e := c.seen(patience, from, want...)
	c.want(e != nil, "no event with %s", strings.Join(want, ", "))
	return e
}

// seen is await that may be in vain: nil.
func (c *check) seen(wait time.Duration, from int, want ...string) *esl.Event {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for at := from; ; {
		c.events.mu.Lock()
		list, more, err := c.events.list, c.events.more, c.events.err
		c.events.mu.Unlock()
		for ; at < len(list); at++ {
			if fits(list[at], want) {
				return list[at]
			}
		}
		c.must(err)
		select {
		case <-more:
		case <-timer.C:
			return nil
		case <-c.ctx.Done():
			c.must(c.ctx.Err())
		}
	}
}

func fits(e *esl.Event, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool {
		name, value, _ := strings.Cut(w, "=")
		if name == "event" {
			return e.Name != value
		}
		return e.Get(name) != value
	})
}
