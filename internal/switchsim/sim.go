package switchsim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const simUsage = `-USAGE: sim call FROM TO
sim queue NUMBER AGENT [QUEUE]
sim conference ROOM NUMBER...
sim dial FROM EXTENSION
sim press UUID|NUMBER DIGITS
sim hangup UUID|NUMBER [CAUSE]
sim hold|unhold|quiet|talk UUID|NUMBER
sim transfer UUID|NUMBER EXTENSION
sim phone NUMBER answer [MS]|busy|reject|noanswer
sim register|unregister NUMBER
sim hears
sim truth
sim played UUID|NUMBER
sim restart
sim drop
sim fail REGEXP refuse|delay MS|drop|swallow
sim heal
`

// simPatience bounds what 'sim call' and its like wait for.
const simPatience = 60 * time.Second

// apiSim is 'sim', a command that no real switch has: people and scripts drive
// telephones and faults with it, from any event socket client.
func (s *Switch) apiSim(arg string, done func(string)) {
	a := fields(arg, 50)
	if len(a) == 0 {
		done(simUsage)
		return
	}
	verb, a := strings.ToLower(a[0]), a[1:]
	if f, waits := simWaits[verb]; waits {
		if len(a) < 2 {
			done(simUsage)
			return
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			ctx, cancel := context.WithTimeout(s.ctx, simPatience)
			defer cancel()
			legs, err := f(ctx, s, a)
			s.lock()
			defer s.unlock()
			if err != nil {
				done(simError(err))
				return
			}
			done("+OK " + strings.Join(legs, " ") + "\n")
		}()
		return
	}
	f, known := simCommands[verb]
	if !known {
		done(simUsage)
		return
	}
	// The functions for telephones take the lock themselves.
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		out, err := f(s, append(a, make([]string, 3)...))
		s.lock()
		defer s.unlock()
		if err != nil {
			done(simError(err))
			return
		}
		done(cmp.Or(out, ok))
	}()
}

func simError(err error) string {
	return "-ERR " + strings.NewReplacer("\n", " ", "\r", " ").Replace(err.Error()) + "\n"
}

var errSimUsage = errors.New("wrong arguments, see 'sim'")

var simWaits = map[string]func(ctx context.Context, s *Switch, a []string) ([]string, error){
	"call": func(ctx context.Context, s *Switch, a []string) ([]string, error) {
		c, err := s.Call(ctx, a[0], a[1])
		return []string{c.A, c.B}, err
	},
	"queue": func(ctx context.Context, s *Switch, a []string) ([]string, error) {
		c, err := s.CallQueue(ctx, a[0], append(a, "")[2], a[1])
		return []string{c.A, c.B}, err
	},
	"conference": func(ctx context.Context, s *Switch, a []string) ([]string, error) {
		return s.Conference(ctx, a[0], a[1:]...)
	},
	"dial": func(ctx context.Context, s *Switch, a []string) ([]string, error) {
		leg, err := s.Dial(ctx, a[0], a[1])
		return []string{leg}, err
	},
}

// simCommands get at least three arguments, empty ones if need be.
var simCommands = map[string]func(s *Switch, a []string) (string, error){
	"press":      func(s *Switch, a []string) (string, error) { return "", s.Press(a[0], a[1]) },
	"hangup":     func(s *Switch, a []string) (string, error) { return "", s.Hangup(a[0], strings.ToUpper(a[1])) },
	"hold":       func(s *Switch, a []string) (string, error) { return "", s.Hold(a[0]) },
	"unhold":     func(s *Switch, a []string) (string, error) { return "", s.Unhold(a[0]) },
	"quiet":      func(s *Switch, a []string) (string, error) { return "", s.Quiet(a[0], true) },
	"talk":       func(s *Switch, a []string) (string, error) { return "", s.Quiet(a[0], false) },
	"transfer":   func(s *Switch, a []string) (string, error) { return "", s.BlindTransfer(a[0], a[1]) },
	"phone":      (*Switch).simPhone,
	"register":   func(s *Switch, a []string) (string, error) { s.Register(a[0]); return "", nil },
	"unregister": func(s *Switch, a []string) (string, error) { s.Unregister(a[0]); return "", nil },
	"hears":      func(s *Switch, _ []string) (string, error) { return s.simHears() },
	"truth":      func(s *Switch, _ []string) (string, error) { return s.simTruth() },
	"played":     func(s *Switch, a []string) (string, error) { return jsonLine(s.Played(a[0])) },
	"restart":    func(s *Switch, _ []string) (string, error) { s.Restart(); return "", nil },
	"drop":       func(s *Switch, _ []string) (string, error) { s.DropConnections(); return "", nil },
	"fail":       (*Switch).simFail,
	"heal": func(s *Switch, _ []string) (string, error) {
		s.lock()
		defer s.unlock()
		s.faults = nil
		return "", nil
	},
}

func jsonLine(v any) (string, error) {
	out, err := json.Marshal(v)
	return string(out) + "\n", err
}

func (s *Switch) simPhone(a []string) (string, error) {
	var b Behaviour
	switch strings.ToLower(a[1]) {
	case "answer":
		b.AnswerAfter = millis(a[2])
	case "busy":
		b.Reject = "USER_BUSY"
	case "reject":
		b.Reject = "CALL_REJECTED"
	case "noanswer":
		b.NoAnswer = true
	default:
		return "", errSimUsage
	}
	s.SetPhone(a[0], b)
	return "", nil
}

// simHears is who hears whom, by telephone numbers; "music" is music on hold.
func (s *Switch) simHears() (string, error) {
	out := map[string][]string{}
	for _, ch := range s.Channels() {
		heard := []string{}
		for _, uuid := range s.Hears(ch.UUID) {
			heard = append(heard, s.Number(uuid))
		}
		heard = append(heard, s.Sounds(ch.UUID)...)
		slices.Sort(heard)
		out[ch.Number] = heard
	}
	return jsonLine(out)
}

func (s *Switch) simTruth() (string, error) {
	type line struct {
		Listener string    `json:"listener"`
		Speaker  string    `json:"speaker"`
		From     time.Time `json:"from"`
		To       time.Time `json:"to"`
		Frames   int       `json:"frames"`
	}
	out := []line{}
	for _, sp := range s.Truth() {
		out = append(out, line{s.Number(sp.Listener), s.Number(sp.Speaker), sp.From, sp.To, sp.Frames})
	}
	return jsonLine(out)
}

func (s *Switch) simFail(a []string) (string, error) {
	re, err := regexp.Compile(a[0])
	if err != nil {
		return "", err
	}
	f := Fault{Match: re}
	switch strings.ToLower(a[1]) {
	case "refuse":
		f.Reply = "-ERR refused\n"
	case "delay":
		n, err := strconv.Atoi(a[2])
		if err != nil {
			return "", errSimUsage
		}
		f.Delay = time.Duration(n) * time.Millisecond
	case "drop":
		f.Drop = true
	case "swallow":
		f.Swallow = true
	default:
		return "", errSimUsage
	}
	s.Inject(f)
	return "", nil
}
