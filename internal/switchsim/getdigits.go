package switchsim

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// question is one run of play_and_get_digits.
type question struct {
	s  *Switch
	ch *channel
	a  *app

	low, high, tries  int
	timeout, between  time.Duration // for the first key, and for each other one
	terminators       string
	prompt, bad, name string
	expr              *regexp.Regexp // nil where there is none

	got     string
	queue   string // pressed while nobody listened
	listens bool
	done    bool
	timer   *task
}

// appGetDigits is play_and_get_digits MIN MAX TRIES TIMEOUT TERMINATORS FILE BADFILE VAR REGEXP DIGIT_TIMEOUT.
func (s *Switch) appGetDigits(ch *channel, a *app) {
	args := append(fields(a.data, 10), make([]string, 10)...)
	number := func(i int) int { n, _ := strconv.Atoi(args[i]); return n }
	q := &question{s: s, ch: ch, a: a,
		low: max(number(0), 0), high: max(number(1), number(0)), tries: number(2),
		timeout:     max(millis(args[3]), time.Second),
		terminators: args[4], prompt: args[5], bad: args[6], name: args[7],
	}
	if q.terminators == "" {
		q.terminators = "#"
	}
	q.between = q.timeout
	if d := millis(args[9]); d > 0 {
		q.between = d
	}
	if args[8] != "" {
		q.expr, _ = expression(args[8])
		ch.set(q.name+"_invalid", "")
	}
	a.onKey = q.key
	a.stop = func() {
		s.forget(q.timer)
		ch.endSound()
		s.touch(ch)
		if !q.done && q.got != "" {
			ch.set(q.name, q.got) // as far as it had come
		}
	}
	q.ask()
}

// ask plays the prompt and listens.
func (q *question) ask() {
	if q.tries <= 0 {
		q.end()
		return
	}
	q.got = ""
	q.ch.set("read_result", "")
	q.ch.set(q.name, "")
	length, ok := q.s.soundLength(q.prompt)
	if !ok {
		q.again() // and no read_result
		return
	}
	q.listens = true
	q.s.startSound(q.ch, q.prompt, false)
	q.wait(length+q.timeout, func() { q.read("timeout", 0) })
	queued := q.queue
	q.queue = ""
	for i := range len(queued) {
		q.key(queued[i])
	}
}

func (q *question) wait(d time.Duration, then func()) {
	q.s.forget(q.timer)
	q.timer = q.s.after(d, then)
}

func (q *question) key(key byte) {
	if q.done {
		return
	}
	if !q.listens {
		q.queue += string(key)
		return
	}
	q.ch.endSound()
	q.s.touch(q.ch)
	q.wait(q.between, func() { q.read("timeout", 0) })
	if q.terminators != "none" && strings.IndexByte(q.terminators, key) >= 0 {
		q.read("success", key)
		return
	}
	if q.got += string(key); len(q.got) >= q.high {
		q.read("success", 0)
	}
}

// read is the end of one try.
func (q *question) read(result string, terminator byte) {
	q.listens = false
	q.s.forget(q.timer)
	if terminator != 0 {
		q.ch.set("read_terminator_used", string(terminator))
	}
	enough := len(q.got) >= q.low
	if !enough {
		result = "failure"
	}
	_, ended := q.ch.get("read_terminator_used") // now, or once before
	q.ch.set("read_result", result)
	q.ch.set(q.name, q.got) // also when there are too few
	switch {
	case enough && q.got != "" && (q.expr == nil || q.expr.MatchString(q.got)), q.low == 0 && q.got == "" && ended:
		q.end()
		return
	case enough && q.got != "":
		q.ch.set(q.name, "")
		q.ch.set(q.name+"_invalid", q.got)
	}
	q.again()
}

// again plays that it was wrong, and asks once more as long as there are tries.
func (q *question) again() {
	q.listens = false
	q.tries--
	length, ok := q.s.soundLength(q.bad)
	if !ok {
		length = 0
	} else {
		q.s.startSound(q.ch, q.bad, false)
	}
	q.wait(length, func() {
		q.ch.endSound()
		q.s.touch(q.ch)
		q.ask()
	})
}

func (q *question) end() {
	q.done = true
	q.s.finish(q.a)
}
