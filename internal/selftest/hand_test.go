package selftest_test

import (
	"context"
	"strings"
	"testing"

	"livemon/esl"
	"livemon/internal/fsapi"
	"livemon/internal/switchsim"
)

// clearRelations removes, as somebody at the switch's console might, all that
// keeps members of the test's room from hearing one another.
func clearRelations(t *testing.T, s *switchsim.Switch) { byHand(t, s, false) }

// expose does that, and unmutes everybody.
func expose(t *testing.T, s *switchsim.Switch) { byHand(t, s, true) }

func byHand(t *testing.T, s *switchsim.Switch, unmute bool) {
	c := esl.NewClient(esl.Options{Addr: s.Addr(), Password: "ClueCon"})
	defer func() { _ = c.Close() }()
	for _, a := range s.Channels() {
		if unmute && strings.HasPrefix(a.Room, "lmtest-") {
			if _, err := c.API(context.Background(), fsapi.Unmute(room(t, a.Room), a.Member)); err != nil {
				t.Error(err)
			}
		}
		for _, b := range s.Channels() {
			if a.Member == b.Member || a.Room != b.Room || !strings.HasPrefix(a.Room, "lmtest-") {
				continue
			}
			if _, err := c.API(context.Background(), fsapi.Relate(room(t, a.Room), a.Member, []int{b.Member}, fsapi.Unrelated)); err != nil {
				t.Error(err)
			}
		}
	}
}

func room(t *testing.T, name string) fsapi.Room {
	r, err := fsapi.ParseRoom(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
