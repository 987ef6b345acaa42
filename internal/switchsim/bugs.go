package switchsim

import (
	"slices"
	"strings"
)

var (
	fromBugAdd      = origin{"switch_core_media_bug.c", "switch_core_media_bug_add", 1014}
	fromBugEnd      = origin{"switch_core_media_bug.c", "switch_core_media_bug_destroy", 84}
	fromRecordStart = origin{"switch_ivr_async.c", "record_callback", 1481}
	fromRecordStop  = origin{"switch_ivr_async.c", "send_record_stop_event", 1240}
)

// The functions that media bugs have.
const (
	bugRecord    = "session_record"
	bugEavesdrop = "eavesdrop"
)

// mediaBug is something that takes part in a channel's audio.
type mediaBug struct {
	function, target string
	spy              *spy   // if it is an eavesdropper's
	gone             func() // of an eavesdropper's: what follows its end
	tape             *tape  // of a recording
}

// maxBugs bounds what commands may pile up on a channel.
const maxBugs = 100

// addBug puts a bug on a channel. As a muted member's leg is not muted in its media
// while there is a bug on it (read: the bug lifts the hard mute, and later ones are
// refused), an eavesdropper hears members that their room has muted.
func (s *Switch) addBug(ch *channel, b *mediaBug) {
	ch.bugs = append(ch.bugs, b)
	if lag := ch.flushLag(); ch.sip && lag > 0 {
		ch.flushing++
		s.touchAround(ch)
		s.after(lag, func() { ch.flushing--; s.touchAround(ch) })
	}
	s.bugEvent(ch, b, "MEDIA_BUG_START", fromBugAdd)
}

// removeBug takes a bug off, if it is still there.
func (s *Switch) removeBug(ch *channel, b *mediaBug) {
	i := slices.Index(ch.bugs, b)
	if i < 0 {
		return
	}
	ch.bugs = slices.Delete(ch.bugs, i, i+1)
	s.touchAround(ch)
	s.bugEvent(ch, b, "MEDIA_BUG_STOP", fromBugEnd)
}

// endBugs takes everything off a channel that has been hung up. Whoever
// eavesdropped on it notices a moment later.
func (s *Switch) endBugs(ch *channel) {
	s.stopRecording(ch, "all")
	for _, b := range slices.Clone(ch.bugs) {
		s.removeBug(ch, b)
		if b.spy != nil {
			s.after(legLag, b.gone)
		}
	}
}

func (s *Switch) bugEvent(ch *channel, b *mediaBug, name string, from origin) {
	s.fire(name, "", ch.uuid, from, func(e *event) {
		e.add("Media-Bug-Function", b.function)
		e.add("Media-Bug-Target", b.target)
		ch.data(e)
	})
}

func (ch *channel) recording(file string) *mediaBug {
	for _, b := range ch.bugs {
		if b.function == bugRecord && b.target == file {
			return b
		}
	}
	return nil
}

func (s *Switch) startRecording(ch *channel, file string) {
	if file == "" || ch.recording(file) != nil || len(ch.bugs) >= maxBugs {
		return
	}
	s.tell(ch, "RECORD_START", fromRecordStart, header{"Record-File-Path", file})
	s.recorded[ch] = true
	s.addBug(ch, &mediaBug{function: bugRecord, target: file, tape: s.newTape(ch, file)})
}

// stopRecording ends the recording into a file, or all of them.
func (s *Switch) stopRecording(ch *channel, file string) bool {
	var ended []*mediaBug
	for _, b := range ch.bugs {
		if b.function != bugRecord || file != "all" && b.target != file {
			continue
		}
		ended = append(ended, b)
		ch.set("record_completion_cause", "success-maxtime")
		s.tell(ch, "RECORD_STOP", fromRecordStop, header{"Record-File-Path", b.target}, header{"Record-Completion-Cause", "success-maxtime"})
	}
	for _, b := range slices.Backward(ended) {
		s.removeBug(ch, b)
	}
	return len(ended) > 0
}

func (s *Switch) appRecord(ch *channel, a *app) {
	file, _ := word(a.data)
	s.startRecording(ch, file)
	s.finish(a)
}

func (s *Switch) apiRecord(arg string) string {
	a := fields(arg, 5)
	if len(a) < 3 {
		return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return "-ERR Cannot locate session!\n"
	}
	done := false
	switch verb := strings.ToLower(a[1]); verb {
	case "start":
		s.startRecording(ch, a[2])
		done = true
	case "stop":
		if done = s.stopRecording(ch, a[2]); !done {
			return "-ERR Cannot stop record session!\n"
		}
	case "mask", "unmask":
		b := ch.recording(a[2])
		if done = b != nil; !done {
			return "-ERR Cannot " + verb + " recording session!\n"
		}
		b.tape.masked = verb == "mask"
	}
	if !done {
		return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
	}
	return "+OK Success\n"
}

// apiBuglist lists the bugs of a channel, in the order in which they were put
// on. Where there is no such channel it says nothing, which is "-ERR no reply".
func (s *Switch) apiBuglist(arg string) string {
	a := fields(arg, 2)
	if len(a) == 0 {
		return "-USAGE: <uuid>\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return ""
	}
	var out strings.Builder
	out.WriteString("<media-bugs>\n")
	for _, b := range ch.bugs {
		out.WriteString(" <media-bug>\n  <function>" + b.function + "</function>\n  <target>" + b.target +
			"</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n")
	}
	out.WriteString("</media-bugs>\n")
	return out.String()
}
