package esl

import (
	"errors"
	"slices"
	"strings"

	"github.com/percipia/eslgo/command"
)

// Subscription is which events a stream delivers, and what it keeps of them.
type Subscription struct {
	// Events are names as the switch knows them: "CHANNEL_CREATE", "CUSTOM
	// conference::maintenance". A name that it does not know it ignores.
	Events []string
	// Headers are kept of each event, beside Event-Name, Event-Subclass,
	// Event-Date-Timestamp and Job-UUID, which always are.
	Headers []string
}

// custom introduces the subclasses: every word after it is one.
const custom = "CUSTOM"

// command is the one command that subscribes to everything.
func (s Subscription) command() (command.Command, error) {
	var plain, subclasses []string
	for _, event := range s.Events {
		if err := CheckLine(event); err != nil {
			return nil, err
		}
		words := strings.Fields(event)
		switch {
		case len(words) == 2 && words[0] == custom:
			subclasses = append(subclasses, words[1])
		case len(words) == 1 && words[0] != custom:
			plain = append(plain, words[0])
		default:
			return nil, &Error{Op: "subscribe", Kind: ErrArgument, Err: errors.New("neither an event's name nor CUSTOM and a subclass: " + event)}
		}
	}
	listen := plain
	if len(subclasses) > 0 {
		listen = slices.Concat(plain, []string{custom}, subclasses)
	}
	if len(listen) == 0 {
		return nil, &Error{Op: "subscribe", Kind: ErrArgument, Err: errors.New("no events")}
	}
	return command.Event{Format: "plain", Listen: listen}, nil
}
