package switchsim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fileLength is how long a file plays of which nothing else is known.
const fileLength = 500 * time.Millisecond

// app is an application that a channel executes.
type app struct {
	step
	ch     *channel
	open   bool               // messages may be executed on top of it
	onKey  func(byte)         // takes the keys pressed
	take   func(byte, string) // the same, before anybody hears of them
	noKeys bool               // nobody takes them, and nobody hears of them
	stop   func()             // called when it ends, however it does
	over   bool
	silent bool // no event tells of it
	sock   *conn
}

// top is the application that runs, the last of those that were stacked.
func (ch *channel) top() *app {
	if len(ch.apps) == 0 {
		return nil
	}
	return ch.apps[len(ch.apps)-1]
}

// applications are those that the simulation has. Each ends by calling finish,
// at once or later.
var applications map[string]func(*Switch, *channel, *app)

func init() {
	done := func(s *Switch, _ *channel, a *app) { s.finish(a) }
	applications = map[string]func(*Switch, *channel, *app){
		"answer":              func(s *Switch, ch *channel, a *app) { s.answer(ch); s.finish(a) },
		"pre_answer":          func(s *Switch, ch *channel, a *app) { s.appPreAnswer(ch, a) },
		"ring_ready":          done,
		"set":                 func(s *Switch, ch *channel, a *app) { ch.assign(a.data); s.finish(a) },
		"multiset":            func(s *Switch, ch *channel, a *app) { ch.assignAll(a.data); s.finish(a) },
		"export":              func(s *Switch, ch *channel, a *app) { ch.assign(strings.TrimPrefix(a.data, "nolocal:")); s.finish(a) },
		"unset":               func(s *Switch, ch *channel, a *app) { ch.set(strings.TrimSpace(a.data), ""); s.finish(a) },
		"hangup":              func(s *Switch, ch *channel, a *app) { s.hangup(ch, a.data) },
		"sleep":               func(s *Switch, _ *channel, a *app) { s.finishAfter(a, millis(a.data)) },
		"playback":            func(s *Switch, ch *channel, a *app) { s.appPlayback(ch, a) },
		"endless_playback":    func(s *Switch, ch *channel, a *app) { s.startSound(ch, a.data, false); a.stop = ch.endSound },
		"park":                func(s *Switch, ch *channel, a *app) { s.appPark(ch, a) },
		"echo":                func(_ *Switch, _ *channel, a *app) { a.open = true },
		"att_xfer":            func(s *Switch, ch *channel, a *app) { s.appAttXfer(ch, a) },
		"intercept":           func(s *Switch, ch *channel, a *app) { s.appIntercept(ch, a) },
		"eavesdrop":           func(s *Switch, ch *channel, a *app) { s.appEavesdrop(ch, a) },
		"conference":          func(s *Switch, ch *channel, a *app) { a.open = true; s.conference(ch, a) },
		"bridge":              func(s *Switch, ch *channel, a *app) { s.appBridge(ch, a) },
		"socket":              func(s *Switch, ch *channel, a *app) { s.appSocket(ch, a) },
		"transfer":            func(s *Switch, ch *channel, a *app) { s.appTransfer(ch, a) },
		"tone_detect":         func(s *Switch, ch *channel, a *app) { s.appToneDetect(ch, a) },
		"stop_tone_detect":    func(s *Switch, ch *channel, a *app) { s.stopToneDetect(ch); s.finish(a) },
		"play_and_get_digits": func(s *Switch, ch *channel, a *app) { s.appGetDigits(ch, a) },
		"record_session":      func(s *Switch, ch *channel, a *app) { s.appRecord(ch, a) },
		"stop_record_session": func(s *Switch, ch *channel, a *app) { s.stopRecording(ch, a.data); s.finish(a) },
		"start_dtmf":          func(s *Switch, ch *channel, a *app) { s.appStartDTMF(ch, a) },
		"stop_dtmf":           func(s *Switch, ch *channel, a *app) { s.appStopDTMF(ch, a) },
		"log":                 done, "info": done, "flush_dtmf": done, "bind_digit_action": done, "clear_digit_action": done, "sched_hangup": done, "event": done,
	}
}

// applicationNames lists the applications, in alphabetical order.
func applicationNames() []string { return slices.Sorted(maps.Keys(applications)) }

func millis(text string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// assign sets a variable from name=value.
func (ch *channel) assign(text string) {
	if name, value, ok := strings.Cut(text, "="); ok {
		if value == "_undef_" {
			value = ""
		}
		ch.set(strings.TrimSpace(name), value)
	}
}

func (ch *channel) assignAll(text string) {
	delim := byte(' ')
	if strings.HasPrefix(text, "^^") && len(text) > 2 {
		delim, text = text[2], text[3:]
	}
	for _, item := range split(text, delim) {
		ch.assign(item)
	}
}

// proceed lets a channel do what is next for it: a message, or the next
// application of its dialplan. A dialplan that has ended ends the call.
func (s *Switch) proceed(ch *channel) {
	if ch.dead || ch.moving {
		return
	}
	a := ch.top()
	if len(ch.inbox) > 0 && (a == nil && ch.bridge != nil || a != nil && a.open) {
		next := ch.inbox[0]
		ch.inbox = ch.inbox[1:]
		s.execute(ch, next)
		return
	}
	if a != nil || ch.bridge != nil {
		return
	}
	switch {
	case len(ch.plan) > 0:
		next := ch.plan[0]
		ch.plan = ch.plan[1:]
		s.execute(ch, next)
	case ch.state == "EXECUTE":
		s.hangup(ch, "NORMAL_CLEARING")
	}
}

// maxInbox bounds the messages that wait for a channel.
const maxInbox = 1000

// enqueue gives a channel an application to execute on top of what it does.
func (s *Switch) enqueue(ch *channel, st step) {
	if len(ch.inbox) < maxInbox {
		ch.inbox = append(ch.inbox, st)
	}
	s.after(0, func() { s.proceed(ch) })
}

func (s *Switch) execute(ch *channel, st step) {
	run, ok := applications[strings.ToLower(st.app)]
	if !ok {
		s.hangup(ch, "DESTINATION_OUT_OF_ORDER")
		return
	}
	st.data = s.expand(ch, st.data)
	st.id = cmp.Or(st.id, newUUID())
	a := &app{step: st, ch: ch}
	ch.apps = append(ch.apps, a)
	ch.lastApp = st
	ch.set("current_application", st.app)
	ch.set("current_application_data", st.data)
	s.tell(ch, "CHANNEL_EXECUTE", fromExec, a.headers(false)...)
	run(s, ch, a)
}

func (a *app) headers(done bool) []header {
	out := []header{{"Application", a.app}}
	if a.data != "" {
		out = append(out, header{"Application-Data", a.data})
	}
	if done {
		out = append(out, header{"Application-Response", "_none_"})
	}
	return append(out, header{"Application-UUID", a.id})
}

// finish ends an application that has done its work.
func (s *Switch) finish(a *app) {
	ch := a.ch
	if a.over || ch.gone {
		return
	}
	for i, o := range ch.apps {
		if o == a {
			for len(ch.apps) > i {
				s.drop(ch)
			}
			break
		}
	}
	s.proceed(ch)
}

func (s *Switch) finishAfter(a *app, d time.Duration) {
	t := s.after(d, func() { s.finish(a) })
	a.stop = func() { s.forget(t) }
}

// drop ends a channel's topmost application.
func (s *Switch) drop(ch *channel) {
	a := ch.top()
	ch.apps = ch.apps[:len(ch.apps)-1]
	a.over = true
	if a.stop != nil {
		a.stop()
	}
	if !a.silent {
		s.tell(ch, "CHANNEL_EXECUTE_COMPLETE", fromExecDone, a.headers(true)...)
	}
}

// park takes a channel out of what it does and parks it. No application tells of
// it: the channel's state does.
func (s *Switch) park(ch *channel) {
	s.move(ch, 0, func() {
		s.setState(ch, "PARK")
		a := &app{step: step{app: "park"}, ch: ch, silent: true}
		ch.apps = append(ch.apps, a)
		s.appPark(ch, a)
	})
}

func (s *Switch) appPark(ch *channel, a *app) {
	a.open = true
	var t *task
	if limit, ok := ch.get("park_timeout"); ok {
		seconds, cause, _ := strings.Cut(limit, ":")
		ch.set("park_timeout", "")
		ch.set("park_after_bridge", "")
		if n, err := strconv.Atoi(seconds); err == nil && n >= 0 {
			t = s.after(time.Duration(n)*time.Second, func() { s.hangup(ch, cause) })
		}
	}
	s.tell(ch, "CHANNEL_PARK", fromPark)
	a.stop = func() {
		s.forget(t)
		s.tell(ch, "CHANNEL_UNPARK", fromUnpark)
	}
	s.proceed(ch)
}

func (s *Switch) appPreAnswer(ch *channel, a *app) {
	if !ch.answered && !ch.early {
		s.preAnswer(ch)
	}
	s.finish(a)
}

func (s *Switch) appTransfer(ch *channel, a *app) {
	args := append(fields(a.data, 3), "", "", "")
	s.transfer(ch, args[0], args[1], args[2])
}

// appBridge calls a telephone and bridges the channel with it.
func (s *Switch) appBridge(ch *channel, a *app) {
	a.open = true
	var leg *channel
	a.stop = func() {
		if leg == nil || leg.orig == nil {
			return
		}
		s.hangup(leg, "ORIGINATOR_CANCEL")
	}
	exports := ch.exports("export_vars") // user/ dials within this dial, which has these from before
	_, rest, _ := braces(a.data)
	if t, cause := s.resolve(rest); cause == "" && t.domain != "" {
		ch.set("dialed_user", t.number)
		ch.set("dialed_domain", t.domain)
	}
	leg = s.dial(ch, a.data, nil, 60*time.Second, func(b *channel, cause string) {
		if a.over {
			if b != nil {
				s.hangup(b, "ORIGINATOR_CANCEL")
			}
			return
		}
		if b == nil {
			ch.set("originate_disposition", cause)
			s.hangup(ch, cause)
			return
		}
		ch.set("originate_disposition", "SUCCESS")
		b.take(exports)
		s.after(signalLag, func() {
			if a.over || ch.dead || b.dead {
				s.hangup(b, "ORIGINATOR_CANCEL")
				if !a.over {
					s.finish(a)
				}
				return
			}
			ch.p.calleeName, ch.p.calleeNum = b.number, b.number
			s.answer(ch)
			s.startBridge(ch, b)
		})
	})
}

// soundLength is how long something plays, and whether it can be played.
func (s *Switch) soundLength(file string) (time.Duration, bool) {
	kind, rest, isStream := strings.Cut(file, "://")
	switch {
	case isStream && kind == "silence_stream":
		ms, _, _ := strings.Cut(rest, ",")
		return millis(ms), true
	case isStream && (kind == "local_stream" || strings.Contains(rest, "loops=-1")):
		return time.Hour, true
	case isStream && kind == "file_string":
		total := time.Duration(0)
		for _, f := range strings.Split(rest, "!") {
			d, ok := s.soundLength(f)
			if !ok {
				return 0, false
			}
			total += d
		}
		return total, true
	case isStream && kind == "tone_stream":
		return toneLength(rest), slices.Contains(s.opt.Modules, "mod_tone_stream")
	case isStream:
		return fileLength, true
	}
	return fileLength, s.fileExists(file)
}

func (s *Switch) startSound(ch *channel, file string, mix bool) {
	ch.sound, ch.soundMix = file, mix
	s.notePlayed(ch, file)
	s.touch(ch)
	s.loopSounds(ch)
}

func (ch *channel) endSound() { ch.sound, ch.soundMix = "", false }

func (s *Switch) appPlayback(ch *channel, a *app) {
	file := a.data
	if i := strings.IndexByte(file, '}'); strings.HasPrefix(file, "{") && i > 0 {
		file = file[i+1:]
	}
	length, ok := s.soundLength(file)
	if !ok {
		s.finish(a)
		return
	}
	if !ch.answered && !ch.early {
		s.preAnswer(ch)
	}
	s.startSound(ch, file, false)
	s.tell(ch, "PLAYBACK_START", fromExec, header{"Playback-File-Path", file})
	t := s.after(length, func() { s.finish(a) })
	a.stop = func() {
		s.forget(t)
		ch.endSound()
		s.touch(ch)
		s.loopSounds(ch)
		s.tell(ch, "PLAYBACK_STOP", fromExec, header{"Playback-File-Path", file}, header{"Playback-Status", "done"})
	}
}
